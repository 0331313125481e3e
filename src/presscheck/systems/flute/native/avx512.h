// Rows looked up and multiplied in float32, or expanded, by AVX-512.

#pragma once

#include "codes.h"

#ifdef FLUTE_X86
namespace {

// The words of a block; after `codes`, the lowest bits of each word are the code of its lane.
template <int BITS>
struct Lines {
    __m512i words[BITS == 3 ? 3 : 1];
};

template <int BITS>
ON_AVX512 INLINE Lines<BITS> load_block(const uint8_t* from) {
    Lines<BITS> lines;
    lines.words[0] = _mm512_loadu_si512(from);
    if constexpr (BITS == 3) {
        lines.words[1] = _mm512_loadu_si512(from + 64);
        lines.words[2] = _mm512_loadu_si512(from + 128);
    }
    return lines;
}

template <int BITS, int J>
ON_AVX512 INLINE __m512i codes(const Lines<BITS>& lines) {
    if constexpr (BITS != 3) {
        return J == 0 ? lines.words[0] : _mm512_srli_epi16(lines.words[0], BITS * J);
    } else if constexpr (J < 15) {
        return J % 5 == 0 ? lines.words[J / 5] : _mm512_srli_epi16(lines.words[J / 5], 3 * (J % 5));
    } else {  // a | (b & c) is 0xF8
        const __m512i one = _mm512_srli_epi16(lines.words[0], 15), two = _mm512_srli_epi16(lines.words[1], 14);
        const __m512i four = _mm512_srli_epi16(lines.words[2], 13);
        const __m512i both = _mm512_ternarylogic_epi64(one, two, _mm512_set1_epi16(2), 0xF8);
        return _mm512_ternarylogic_epi64(both, four, _mm512_set1_epi16(4), 0xF8);
    }
}

template <int BITS>
ON_AVX512 INLINE __m512i unit_codes(const uint8_t* unit) {
    if constexpr (BITS == 4) {
        const __m512i shifts = _mm512_set_epi64(0x000C000C000C000C, 0x000C000C000C000C, 0x0008000800080008,
                                                0x0008000800080008, 0x0004000400040004, 0x0004000400040004, 0, 0);
        return _mm512_srlv_epi16(_mm512_broadcast_i32x4(_mm_loadu_si128((const __m128i*)unit)), shifts);
    } else {
        const __m512i shifts = _mm512_set_epi64(0x000E000E000E000E, 0x000C000C000C000C, 0x000A000A000A000A,
                                                0x0008000800080008, 0x0006000600060006, 0x0004000400040004,
                                                0x0002000200020002, 0);
        int64_t words;
        std::memcpy(&words, unit, 8);
        return _mm512_srlv_epi16(_mm512_set1_epi64(words), shifts);
    }
}

inline uint32_t unit_high_bits(const uint8_t* unit) {
    uint32_t bits;
    std::memcpy(&bits, unit + 8, 4);
    return bits;
}

// A chunk in float32: 16 lanes of 32 bits, the even columns and the odd ones.
struct Weights {
    __m512 even, odd;
};

struct Singles {
    __m512 all, low, high;

    ON_AVX512 INLINE explicit Singles(const Job& job) {
        alignas(64) float entries[3][16];
        for (int i = 0; i < 16; i++) {
            entries[0][i] = job.table[i % (1 << job.bits)];
            entries[1][i] = job.table[i % 4];
            entries[2][i] = job.bits == 2 ? 0 : job.table[4 + i % 4];
        }
        all = _mm512_load_ps(entries[0]);
        low = _mm512_load_ps(entries[1]);
        high = _mm512_load_ps(entries[2]);
    }
    ON_AVX512 INLINE Weights look_up(__m512i lanes) const {
        return {_mm512_permutexvar_ps(lanes, all), _mm512_permutexvar_ps(_mm512_srli_epi32(lanes, 16), all)};
    }
    ON_AVX512 INLINE Weights look_up(__m512i lanes, uint32_t upper) const {
        const __m512i odd = _mm512_srli_epi32(lanes, 16);
        const __mmask16 even_upper = _pext_u32(upper, 0x55555555u), odd_upper = _pext_u32(upper, 0xAAAAAAAAu);
        return {_mm512_mask_blend_ps(even_upper, _mm512_permutexvar_ps(lanes, low), _mm512_permutexvar_ps(lanes, high)),
                _mm512_mask_blend_ps(odd_upper, _mm512_permutexvar_ps(odd, low), _mm512_permutexvar_ps(odd, high))};
    }
};

template <int BITS>
ON_AVX512 INLINE Weights look_up_unit(const Singles& lanes, const uint8_t* unit) {
    const __m512i at = unit_codes<BITS>(unit);
    return BITS == 3 ? lanes.look_up(at, unit_high_bits(unit)) : lanes.look_up(at);
}

// A chunk of R rows against MB activations, each of which is loaded once.
template <int R, int MB>
ON_AVX512 INLINE void multiply(const Weights* w, const float* x, bool first, __m512 (*part)[MB]) {
#pragma GCC unroll 8
    for (int m = 0; m < MB; m++) {
        const __m512 even = _mm512_loadu_ps(x + m * CHUNK), odd = _mm512_loadu_ps(x + m * CHUNK + 16);
#pragma GCC unroll 8
        for (int r = 0; r < R; r++) {
            part[r][m] = first ? _mm512_mul_ps(w[r].even, even) : _mm512_fmadd_ps(w[r].even, even, part[r][m]);
            part[r][m] = _mm512_fmadd_ps(w[r].odd, odd, part[r][m]);
        }
    }
}

template <int R, int MB>
ON_AVX512 INLINE void scale_and_add(const float* const* scales, int64_t group, const __m512 (*part)[MB], __m512 (*sums)[MB]) {
#pragma GCC unroll 8
    for (int r = 0; r < R; r++) {
        const __m512 scale = _mm512_set1_ps(scales[r][group]);
#pragma GCC unroll 8
        for (int m = 0; m < MB; m++) sums[r][m] = _mm512_fmadd_ps(part[r][m], scale, sums[r][m]);
    }
}

// Chunks J and on of a block. GS chunks share a scale (4 also where 8 do).
template <int BITS, int GS, int R, int MB, int J>
ON_AVX512 INLINE void chunks_from(const Singles& lanes, const Lines<BITS>* lines, const float* x, int64_t stride,
                                  const float* const* scales, int shift, int64_t chunk, __m512 (*part)[MB],
                                  __m512 (*sums)[MB]) {
    Weights w[R];
#pragma GCC unroll 8
    for (int r = 0; r < R; r++) w[r] = lanes.look_up(codes<BITS, J>(lines[r]));
    multiply<R, MB>(w, x, J % GS == 0, part);
    if constexpr (J % GS == GS - 1) scale_and_add<R, MB>(scales, chunk >> shift, part, sums);
    if constexpr (J + 1 < block_chunks(BITS))
        chunks_from<BITS, GS, R, MB, J + 1>(lanes, lines, x + stride, stride, scales, shift, chunk + 1, part, sums);
}

// R rows at a time against MB activations at a time. The next R rows are fetched meanwhile.
template <int BITS, int GS, int R, int MB>
ON_AVX512 void rows_avx512_of(const Job& job, int64_t first, int64_t last) {
    constexpr int in_block = block_chunks(BITS), bytes = block_bytes(BITS);
    const Singles lanes(job);
    const int shift = job.group == 32 ? 0 : job.group == 64 ? 1 : job.group == 128 ? 2 : 3;
    const int64_t stride = job.padded * CHUNK, blocks = job.K / (in_block * CHUNK), chunks = job.K / CHUNK;
    const int64_t ahead = std::max<int64_t>(R * job.row_bytes, 4096);
    std::unique_ptr<float[]> wide(new float[R * job.groups]);
    for (int64_t n = first; n < last; n += R) {
        const uint8_t* rows[R];
        const float* scales[R];
#pragma GCC unroll 8
        for (int r = 0; r < R; r++) {
            const int64_t row = std::min(n + r, last - 1);
            rows[r] = job.packed + row * job.row_bytes;
            scales[r] = wide.get() + r * job.groups;
            for (int64_t g = 0; g < job.groups; g++) wide[r * job.groups + g] = widen(job.scales[row * job.groups + g]);
        }
        for (int64_t m0 = 0; m0 < job.M; m0 += MB) {
            __m512 sums[R][MB], part[R][MB];
#pragma GCC unroll 8
            for (int r = 0; r < R; r++)
#pragma GCC unroll 8
                for (int m = 0; m < MB; m++) sums[r][m] = _mm512_setzero_ps();
            const float* x = static_cast<const float*>(job.x) + m0 * CHUNK;
            for (int64_t b = 0; b < blocks; b++, x += in_block * stride) {
                Lines<BITS> lines[R];
#pragma GCC unroll 8
                for (int r = 0; r < R; r++) {
                    const uint8_t* from = rows[r] + b * bytes;
#pragma GCC unroll 8
                    for (int line = 0; line < bytes; line += 64)
                        _mm_prefetch((const char*)from + ahead + line, _MM_HINT_T0);
                    lines[r] = load_block<BITS>(from);
                }
                chunks_from<BITS, GS, R, MB, 0>(lanes, lines, x, stride, scales, shift, b * in_block, part, sums);
            }
            for (int64_t c = blocks * in_block, u = 0; c < chunks; c++, u++, x += stride) {
                Weights w[R];
#pragma GCC unroll 8
                for (int r = 0; r < R; r++)
                    w[r] = look_up_unit<BITS>(lanes, rows[r] + blocks * bytes + u * unit_bytes(BITS));
                multiply<R, MB>(w, x, true, part);
                scale_and_add<R, MB>(scales, c >> shift, part, sums);
            }
#pragma GCC unroll 8
            for (int r = 0; r < R; r++)
#pragma GCC unroll 8
                for (int m = 0; m < MB; m++)
                    if (n + r < last && m0 + m < job.M) store(job, m0 + m, n + r, _mm512_reduce_add_ps(sums[r][m]));
        }
    }
}

template <int BITS, int GS>
void rows_avx512_for(const Job& job, int64_t first, int64_t last) {
    if (job.padded == 1) return rows_avx512_of<BITS, GS, 4, 1>(job, first, last);
    if (job.padded == 2) return rows_avx512_of<BITS, GS, 2, 2>(job, first, last);
    if (job.padded == 4) return rows_avx512_of<BITS, GS, 2, 4>(job, first, last);
    return rows_avx512_of<BITS, GS, 1, 8>(job, first, last);
}

template <int BITS>
void rows_avx512_with(const Job& job, int64_t first, int64_t last) {
    if (job.group == 32) return rows_avx512_for<BITS, 1>(job, first, last);
    if (job.group == 64) return rows_avx512_for<BITS, 2>(job, first, last);
    return rows_avx512_for<BITS, 4>(job, first, last);
}

void rows_avx512(const Job& job, int64_t first, int64_t last) {
    if (job.bits == 4) return rows_avx512_with<4>(job, first, last);
    if (job.bits == 3) return rows_avx512_with<3>(job, first, last);
    return rows_avx512_with<2>(job, first, last);
}

// One chunk, scaled, in the order of its columns; float32, or bfloat16 rounded to the nearest.
ON_AVX512 INLINE void put_chunk(const Weights& w, __m512 scale, bool bf16, void* out, int64_t at) {
    const __m512i even_odd = _mm512_set_epi32(23, 7, 22, 6, 21, 5, 20, 4, 19, 3, 18, 2, 17, 1, 16, 0);
    const __m512i second = _mm512_add_epi32(even_odd, _mm512_set1_epi32(8));
    const __m512 half[2] = {_mm512_mul_ps(_mm512_permutex2var_ps(w.even, even_odd, w.odd), scale),
                            _mm512_mul_ps(_mm512_permutex2var_ps(w.even, second, w.odd), scale)};
    for (int h = 0; h < 2; h++) {
        if (!bf16) {
            _mm512_storeu_ps(static_cast<float*>(out) + at + 16 * h, half[h]);
            continue;
        }
        const __m512i bits = _mm512_castps_si512(half[h]);
        const __m512i last = _mm512_and_si512(_mm512_srli_epi32(bits, 16), _mm512_set1_epi32(1));
        const __m512i up = _mm512_add_epi32(_mm512_add_epi32(bits, last), _mm512_set1_epi32(0x7FFF));
        _mm256_storeu_si256((__m256i*)(static_cast<uint16_t*>(out) + at + 16 * h),
                            _mm512_cvtepi32_epi16(_mm512_srli_epi32(up, 16)));
    }
}

template <int BITS, int J>
ON_AVX512 INLINE void put_block(const Job& job, const Singles& lanes, const Lines<BITS>& lines, const uint16_t* scales,
                                int64_t chunk, int64_t row) {
    const __m512 scale = _mm512_set1_ps(widen(scales[(chunk + J) * CHUNK / job.group]));
    put_chunk(lanes.look_up(codes<BITS, J>(lines)), scale, job.bf16, job.out, row * job.K + (chunk + J) * CHUNK);
    if constexpr (J + 1 < block_chunks(BITS)) put_block<BITS, J + 1>(job, lanes, lines, scales, chunk, row);
}

template <int BITS>
ON_AVX512 void expand_avx512(const Job& job, int64_t first, int64_t last) {
    constexpr int in_block = block_chunks(BITS);
    const Singles lanes(job);
    const int64_t blocks = job.K / (in_block * CHUNK), chunks = job.K / CHUNK;
    for (int64_t n = first; n < last; n++) {
        const uint8_t* from = job.packed + n * job.row_bytes;
        const uint16_t* scales = job.scales + n * job.groups;
        for (int64_t b = 0; b < blocks; b++, from += block_bytes(BITS))
            put_block<BITS, 0>(job, lanes, load_block<BITS>(from), scales, b * in_block, n);
        for (int64_t c = blocks * in_block; c < chunks; c++, from += unit_bytes(BITS)) {
            put_chunk(look_up_unit<BITS>(lanes, from), _mm512_set1_ps(widen(scales[c * CHUNK / job.group])), job.bf16, job.out, n * job.K + c * CHUNK);
        }
    }
}

ON_AVX512 INLINE __m512i either(__m512i a, const uint8_t* from) {
    return _mm512_or_si512(a, _mm512_loadu_si512(from));
}

ON_AVX512 uint64_t read_avx512(const uint8_t* from, int64_t bytes) {
    __m512i all[4] = {};
    for (int64_t i = 0; i + 256 <= bytes; i += 256)
        for (int l = 0; l < 4; l++) {
            _mm_prefetch((const char*)from + i + 2048 + 64 * l, _MM_HINT_T0);
            all[l] = either(all[l], from + i + 64 * l);
        }
    const __m512i one = _mm512_or_si512(_mm512_or_si512(all[0], all[1]), _mm512_or_si512(all[2], all[3]));
    return uint64_t(_mm512_reduce_or_epi64(one));
}

}  // namespace
#endif
