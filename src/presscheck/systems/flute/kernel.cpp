// Products of activations with weights stored as 2-, 3- or 4-bit codes into a table.
//
// Reference: Guo et al., arXiv 2407.10960, section 3. The paper's three ideas, on a processor's terms:
// codes are stored in the order in which vector lanes want them after a shift; the lookup is a permutation
// of a table that lies in one register, repeated so that bits of the next code do no harm; rows are handed
// to threads in pieces. What it computes is stated by the torch code in tensor.py and linear.py.
//
// Letters: M activations, N rows of weights, K columns. A chunk is 32 columns, k = 32 c + w. Codes of a row:
// whole blocks first, then the chunks that are left, one by one ("units").
//   4 bits: a block is 32 words of 16 bits, 4 chunks; chunk j lies in bits 4j of the words.
//   2 bits: a block is 32 words, 8 chunks; chunk j lies in bits 2j.
//   3 bits: a block is 3 times 32 words, 16 chunks; chunk j < 15 lies in bits 3 (j mod 5) of the words
//           j / 5, and bit t of chunk 15 is the topmost bit of the words t.
//   units:  4 bits: 8 words, code 8q + w in bits 4q. 2 bits: 4 words, code 4q + w in bits 2q.
//           3 bits: the two low bits as a unit of 2 bits, then 32 high bits.
// Activations are arranged as [chunk][m][32]: as they are for bfloat16, even columns before odd ones in
// float32, because a 32-bit lane holds an even word below and an odd word above.
//
// Sums: products of a group are added in float32, then take the group's scale. The instruction set is
// chosen when called, so one object serves all machines of an architecture.

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <new>
#include <system_error>
#include <thread>
#include <vector>

#if defined(__x86_64__) && defined(__linux__)
#include <immintrin.h>
#include <sys/syscall.h>
#include <unistd.h>
#define FLUTE_X86 1
#endif

namespace {

enum Isa { PORTABLE = 1, AVX2 = 2, AVX512 = 3, AMX = 4 };
constexpr int64_t TILES_FROM = 3;  // activations that are worth the tiles
constexpr int64_t CHUNK = 32;

constexpr int block_chunks(int bits) { return bits == 4 ? 4 : bits == 2 ? 8 : 16; }
constexpr int block_bytes(int bits) { return bits == 3 ? 192 : 64; }
constexpr int unit_bytes(int bits) { return 4 * bits; }

struct Job {
    const uint8_t* packed;
    const uint16_t* scales;
    const float* table;
    const void* x;  // arranged
    const float* bias;
    void* out;
    int64_t M, padded, N, K, row_bytes, groups, group;
    int bits;
    bool bf16;  // activations and results
};

inline float widen(uint16_t half) {
    const uint32_t bits = uint32_t(half) << 16;
    float value;
    std::memcpy(&value, &bits, 4);
    return value;
}

inline uint16_t narrow(float value) {  // to the nearest, ties to even
    uint32_t bits;
    std::memcpy(&bits, &value, 4);
    if ((bits & 0x7FFFFFFFu) > 0x7F800000u) return uint16_t(bits >> 16) | 0x40u;
    return uint16_t((bits + 0x7FFFu + ((bits >> 16) & 1u)) >> 16);
}

inline void store(const Job& job, int64_t m, int64_t n, float value) {
    if (job.bias) value += job.bias[n];
    if (job.bf16)
        static_cast<uint16_t*>(job.out)[m * job.N + n] = narrow(value);
    else
        static_cast<float*>(job.out)[m * job.N + n] = value;
}

inline uint16_t word_at(const uint8_t* from, int64_t word) {
    uint16_t value;
    std::memcpy(&value, from + 2 * word, 2);
    return value;
}

// The code of column 32 j + w of a block, and of column w of a unit.
inline int block_code(const uint8_t* block, int bits, int j, int w) {
    if (bits != 3) return word_at(block, w) >> (bits * j) & ((1 << bits) - 1);
    if (j < 15) return word_at(block, 32 * (j / 5) + w) >> (3 * (j % 5)) & 7;
    return word_at(block, w) >> 15 | (word_at(block, 32 + w) >> 15) << 1 | (word_at(block, 64 + w) >> 15) << 2;
}

inline int unit_code(const uint8_t* unit, int bits, int w) {
    if (bits == 4) return word_at(unit, w % 8) >> (4 * (w / 8)) & 15;
    const int low = word_at(unit, w % 4) >> (2 * (w / 4)) & 3;
    return bits == 2 ? low : low | (unit[8 + w / 8] >> (w % 8) & 1) << 2;
}

// Place of column w of a chunk among even columns, then odd ones.
inline int place(int w) { return 16 * (w & 1) + w / 2; }

// Table values of a row, unscaled, chunk by chunk in the order of float32 activations.
using Decode = void (*)(const Job&, const uint8_t* row, float* to);

void decode_units(const Job& job, const uint8_t* from, int64_t units, float* to) {
    for (int64_t u = 0; u < units; u++, from += unit_bytes(job.bits), to += CHUNK)
        for (int w = 0; w < CHUNK; w++) to[place(w)] = job.table[unit_code(from, job.bits, w)];
}

void decode_portable(const Job& job, const uint8_t* row, float* to) {
    const int chunks = block_chunks(job.bits);
    const int64_t blocks = job.K / (chunks * CHUNK);
    for (int64_t b = 0; b < blocks; b++, row += block_bytes(job.bits))
        for (int j = 0; j < chunks; j++, to += CHUNK)
            for (int w = 0; w < CHUNK; w++) to[place(w)] = job.table[block_code(row, job.bits, j, w)];
    decode_units(job, row, job.K / CHUNK - blocks * chunks, to);
}

float dot_portable(const float* a, const float* b, int64_t n) {
    float sums[16] = {};
    for (int64_t i = 0; i < n; i += 16)
        for (int l = 0; l < 16; l++) sums[l] += a[i + l] * b[i + l];
    float sum = 0;
    for (float one : sums) sum += one;
    return sum;
}

// A group's columns lie together in a decoded row, and chunk by chunk in the activations.
using Dot = float (*)(const float* a, const float* b, int64_t n);

void rows_decoded(const Job& job, int64_t first, int64_t last, Decode decode, Dot dot) {
    std::vector<float> row(job.K);
    const float* x = static_cast<const float*>(job.x);
    for (int64_t n = first; n < last; n++) {
        decode(job, job.packed + n * job.row_bytes, row.data());
        const uint16_t* scales = job.scales + n * job.groups;
        for (int64_t m = 0; m < job.M; m++) {
            float sum = 0;
            for (int64_t g = 0; g < job.groups; g++) {
                float part = 0;
                for (int64_t k = g * job.group; k < (g + 1) * job.group; k += CHUNK)
                    part += dot(row.data() + k, x + (k / CHUNK * job.padded + m) * CHUNK, CHUNK);
                sum += part * widen(scales[g]);
            }
            store(job, m, n, sum);
        }
    }
}

void rows_portable(const Job& job, int64_t first, int64_t last) {
    rows_decoded(job, first, last, decode_portable, dot_portable);
}

#ifdef FLUTE_X86
#define INLINE inline __attribute__((always_inline))
#define ON_AVX2 __attribute__((target("avx2,fma")))
#define ON_AVX512 __attribute__((target("avx512f,avx512bw,avx512vl,bmi2")))
#define ON_AMX __attribute__((target("avx512f,avx512bw,avx512vl,bmi2,amx-tile,amx-bf16")))

// AVX2 ------------------------------------------------------------------------------

template <int BITS>
ON_AVX2 INLINE __m256 look_up_avx2(__m256i codes, __m256 low, __m256 high) {
    if constexpr (BITS == 4) {
        const __m256 upper = _mm256_castsi256_ps(_mm256_slli_epi32(codes, 28));  // bit 3 becomes the sign
        return _mm256_blendv_ps(_mm256_permutevar8x32_ps(low, codes), _mm256_permutevar8x32_ps(high, codes), upper);
    }
    return _mm256_permutevar8x32_ps(low, codes);
}

template <int BITS>
ON_AVX2 void decode_avx2(const Job& job, const uint8_t* row, float* to) {
    constexpr int chunks = block_chunks(BITS), lines = BITS == 3 ? 3 : 1;
    alignas(32) float entries[16];
    for (int i = 0; i < 16; i++) entries[i] = job.table[i % (1 << BITS)];
    const __m256 low = _mm256_load_ps(entries), high = _mm256_load_ps(entries + 8);
    const int64_t blocks = job.K / (chunks * CHUNK);
    for (int64_t b = 0; b < blocks; b++, row += block_bytes(BITS), to += chunks * CHUNK)
        for (int h = 0; h < 2; h++) {
            __m256i words[lines];
            for (int t = 0; t < lines; t++) words[t] = _mm256_loadu_si256((const __m256i*)(row + 64 * t + 32 * h));
            for (int odd = 0; odd < 2; odd++) {
                float* at = to + 16 * odd + 8 * h;
                for (int j = 0; j < (BITS == 3 ? 15 : chunks); j++) {
                    const int shift = 16 * odd + (BITS == 3 ? 3 * (j % 5) : BITS * j);
                    const __m256i codes = _mm256_srl_epi32(words[BITS == 3 ? j / 5 : 0], _mm_cvtsi32_si128(shift));
                    _mm256_storeu_ps(at + j * CHUNK, look_up_avx2<BITS>(codes, low, high));
                }
                if constexpr (BITS == 3) {
                    const __m128i top = _mm_cvtsi32_si128(16 * odd + 15);
                    __m256i codes = _mm256_setzero_si256();
                    for (int t = 0; t < 3; t++) {
                        const __m256i bit = _mm256_and_si256(_mm256_srl_epi32(words[t], top), _mm256_set1_epi32(1));
                        codes = _mm256_or_si256(codes, _mm256_sll_epi32(bit, _mm_cvtsi32_si128(t)));
                    }
                    _mm256_storeu_ps(at + 15 * CHUNK, look_up_avx2<BITS>(codes, low, high));
                }
            }
        }
    decode_units(job, row, job.K / CHUNK - blocks * chunks, to);
}

ON_AVX2 float dot_avx2(const float* a, const float* b, int64_t n) {
    __m256 sums[4] = {_mm256_setzero_ps(), _mm256_setzero_ps(), _mm256_setzero_ps(), _mm256_setzero_ps()};
    for (int64_t i = 0; i < n; i += 32)
        for (int l = 0; l < 4; l++)
            sums[l] = _mm256_fmadd_ps(_mm256_loadu_ps(a + i + 8 * l), _mm256_loadu_ps(b + i + 8 * l), sums[l]);
    const __m256 sum = _mm256_add_ps(_mm256_add_ps(sums[0], sums[1]), _mm256_add_ps(sums[2], sums[3]));
    __m128 half = _mm_add_ps(_mm256_castps256_ps128(sum), _mm256_extractf128_ps(sum, 1));
    half = _mm_add_ps(half, _mm_movehl_ps(half, half));
    return _mm_cvtss_f32(_mm_add_ss(half, _mm_movehdup_ps(half)));
}

void rows_avx2(const Job& job, int64_t first, int64_t last) {
    const Decode decode = job.bits == 4 ? decode_avx2<4> : job.bits == 3 ? decode_avx2<3> : decode_avx2<2>;
    rows_decoded(job, first, last, decode, dot_avx2);
}

// AVX-512 ---------------------------------------------------------------------------

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

// AMX -------------------------------------------------------------------------------

// A chunk in bfloat16: 32 lanes of 16 bits, as they come.
struct Halves {
    __m512i all, low, high;

    ON_AMX INLINE explicit Halves(const Job& job) {
        alignas(64) uint16_t entries[3][32];
        for (int i = 0; i < 32; i++) {
            entries[0][i] = narrow(job.table[i % (1 << job.bits)]);
            entries[1][i] = narrow(job.table[i % 4]);
            entries[2][i] = job.bits == 2 ? 0 : narrow(job.table[4 + i % 4]);
        }
        all = _mm512_load_si512(entries[0]);
        low = _mm512_load_si512(entries[1]);
        high = _mm512_load_si512(entries[2]);
    }
    ON_AMX INLINE __m512i look_up(__m512i lanes) const { return _mm512_permutexvar_epi16(lanes, all); }
    ON_AMX INLINE __m512i look_up(__m512i lanes, uint32_t upper) const {
        return _mm512_mask_permutexvar_epi16(_mm512_permutexvar_epi16(lanes, low), upper, lanes, high);
    }
};

// 16 rows of weights are a tile as they are looked up; 16 activations are another, pairs of columns
// above each other: [chunk][tile of m][16 pairs][16 m][2].
struct alignas(64) TileShapes {
    uint8_t palette = 1, start = 0, unused[14] = {};
    uint16_t bytes[16] = {};
    uint8_t rows[16] = {};
};

constexpr int TILE = 16, TILES = 4;  // tiles of sums at a time

// Several tiles of sums take turns, since one product waits for the one before it: RB blocks of 16 rows
// against T tiles of activations. Tile registers: 0 to 3 sums, 4 and 5 weights, 6 and 7 activations; their
// names have to be literal.
// Chunks J to LAST - 1 of one row.
template <int BITS, int J, int LAST>
ON_AMX INLINE void expand(const Halves& lanes, const Lines<BITS>& lines, uint16_t (*to)[TILE][CHUNK], int r) {
    _mm512_store_si512(to[0][r], lanes.look_up(codes<BITS, J>(lines)));
    if constexpr (J + 1 < LAST) expand<BITS, J + 1, LAST>(lanes, lines, to + 1, r);
}

// The quarter `part` of a block's chunks; a block of 4 bits has only one, of 2 bits two.
template <int BITS>
ON_AMX INLINE void expand_step(const Halves& lanes, const uint8_t* from, int part, uint16_t (*to)[TILE][CHUNK], int r) {
    for (int line = 0; line < block_bytes(BITS) && part == 0; line += 64)
        _mm_prefetch((const char*)from + 4 * block_bytes(BITS) + line, _MM_HINT_T0);
    const Lines<BITS> lines = load_block<BITS>(from);
    if (BITS == 4 || part == 0) return expand<BITS, 0, 4>(lanes, lines, to, r);
    if constexpr (BITS != 4)
        if (part == 1) return expand<BITS, 4, 8>(lanes, lines, to, r);
    if constexpr (BITS == 3) {
        if (part == 2) return expand<BITS, 8, 12>(lanes, lines, to, r);
        expand<BITS, 12, 16>(lanes, lines, to, r);
    }
}

// weights: blocks of rows, `apart` numbers from each other.
template <int RB>
ON_AMX INLINE void multiply_tiles(const uint16_t* weights, int64_t apart, const uint16_t* x) {
    constexpr int64_t next = TILE * CHUNK;
    __asm__ volatile("" ::: "memory");  // the intrinsics do not say that they read memory
    if constexpr (RB == 4) {
        _tile_loadd(6, x, 64);
        _tile_loadd(4, weights, 64);
        _tile_dpbf16ps(0, 4, 6);
        _tile_loadd(5, weights + apart, 64);
        _tile_dpbf16ps(1, 5, 6);
        _tile_loadd(4, weights + 2 * apart, 64);
        _tile_dpbf16ps(2, 4, 6);
        _tile_loadd(5, weights + 3 * apart, 64);
        _tile_dpbf16ps(3, 5, 6);
    } else if constexpr (RB == 2) {
        _tile_loadd(6, x, 64);
        _tile_loadd(4, weights, 64);
        _tile_dpbf16ps(0, 4, 6);
        _tile_loadd(7, x + next, 64);
        _tile_dpbf16ps(1, 4, 7);
        _tile_loadd(5, weights + apart, 64);
        _tile_dpbf16ps(2, 5, 6);
        _tile_dpbf16ps(3, 5, 7);
    } else {
        _tile_loadd(4, weights, 64);
        _tile_loadd(6, x, 64);
        _tile_dpbf16ps(0, 4, 6);
        _tile_loadd(7, x + next, 64);
        _tile_dpbf16ps(1, 4, 7);
        _tile_loadd(6, x + 2 * next, 64);
        _tile_dpbf16ps(2, 4, 6);
        _tile_loadd(7, x + 3 * next, 64);
        _tile_dpbf16ps(3, 4, 7);
    }
}

ON_AMX INLINE void clear_tiles() {
    _tile_zero(0);
    _tile_zero(1);
    _tile_zero(2);
    _tile_zero(3);
}

// scales: of 16 RB rows.
template <int RB>
ON_AMX INLINE void add_tiles(const float* scales, __m512 (*sums)[TILE], float (*parts)[TILE][TILE]) {
    _tile_stored(0, parts[0], 64);
    _tile_stored(1, parts[1], 64);
    _tile_stored(2, parts[2], 64);
    _tile_stored(3, parts[3], 64);
    __asm__ volatile("" ::: "memory");
    for (int t = 0; t < TILES; t++) {
        const float* of_rows = scales + t / (TILES / RB) * TILE;
#pragma GCC unroll 16
        for (int r = 0; r < TILE; r++)
            sums[t][r] = _mm512_fmadd_ps(_mm512_load_ps(parts[t][r]), _mm512_set1_ps(of_rows[r]), sums[t][r]);
    }
}

template <int BITS, int RB>
ON_AMX void rows_amx(const Job& job, int64_t first, int64_t last) {
    constexpr int in_block = block_chunks(BITS), in_step = 4, T = TILES / RB, rows_at_once = RB * TILE;
    constexpr int64_t apart = in_step * TILE * CHUNK;
    const Halves lanes(job);
    // While one is multiplied, the other is filled.
    alignas(64) uint16_t weights[2][RB][in_step][TILE][CHUNK];
    alignas(64) float parts[TILES][TILE][TILE];
    __m512 sums[TILES][TILE];
    TileShapes before, shapes;
    for (int t = 0; t < 8; t++) shapes.rows[t] = TILE, shapes.bytes[t] = 64;
    _tile_storeconfig(&before);
    _tile_loadconfig(&shapes);
    const int64_t together = std::min<int64_t>(job.group / CHUNK, 4), blocks = job.K / (in_block * CHUNK);
    const int64_t chunks = job.K / CHUNK, stride = job.padded * CHUNK, steps = blocks * in_block / in_step;
    std::unique_ptr<float[]> scales(new float[rows_at_once * job.groups]);
    for (int64_t n = first; n < last; n += rows_at_once) {
        const uint8_t* rows[rows_at_once];
        for (int r = 0; r < rows_at_once; r++) {
            const int64_t row = std::min(n + r, last - 1);
            rows[r] = job.packed + row * job.row_bytes;
            for (int64_t g = 0; g < job.groups; g++)
                scales[g * rows_at_once + r] = widen(job.scales[row * job.groups + g]);
        }
        for (int64_t m0 = 0; m0 < job.padded; m0 += T * TILE) {
            const uint16_t* x = static_cast<const uint16_t*>(job.x) + m0 * CHUNK;
            std::memset(static_cast<void*>(sums), 0, sizeof sums);
            for (int64_t step = -1; step < steps; step++) {
                const int64_t next = step + 1, offset = next * in_step / in_block * block_bytes(BITS);
                const int part = int(next % (in_block / in_step));
                for (int j = 0; j < in_step; j++) {
                    if (step >= 0) {
                        if (j % together == 0) clear_tiles();
                        multiply_tiles<RB>(&weights[step & 1][0][j][0][0], apart, x);
                        x += stride;
                        const int64_t group = (step * in_step + j) * CHUNK / job.group;
                        if (j % together == together - 1)
                            add_tiles<RB>(scales.get() + group * rows_at_once, sums, parts);
                    }
                    if (next < steps)
                        for (int r = j * rows_at_once / in_step; r < (j + 1) * rows_at_once / in_step; r++)
                            expand_step<BITS>(lanes, rows[r] + offset, part, weights[next & 1][r / TILE], r % TILE);
                }
            }
            for (int64_t c = blocks * in_block, u = 0; c < chunks; c++, u++, x += stride) {
                for (int rb = 0; rb < RB; rb++)
                    for (int r = 0; r < TILE; r++) {
                        const uint8_t* unit = rows[rb * TILE + r] + blocks * block_bytes(BITS) + u * unit_bytes(BITS);
                        const __m512i at = unit_codes<BITS>(unit);
                        const __m512i w = BITS == 3 ? lanes.look_up(at, unit_high_bits(unit)) : lanes.look_up(at);
                        _mm512_store_si512(weights[0][rb][0][r], w);
                    }
                clear_tiles();
                multiply_tiles<RB>(&weights[0][0][0][0][0], apart, x);
                add_tiles<RB>(scales.get() + c * CHUNK / job.group * rows_at_once, sums, parts);
            }
            for (int t = 0; t < TILES; t++)
                for (int r = 0; r < TILE; r++) {
                    const int64_t row = n + t / T * TILE + r, m = m0 + t % T * TILE;
                    alignas(64) float line[TILE];
                    _mm512_store_ps(line, sums[t][r]);
                    for (int i = 0; row < last && i < TILE && m + i < job.M; i++) store(job, m + i, row, line[i]);
                }
        }
    }
    if (before.palette)  // whoever had tiles here gets their shapes back
        _tile_loadconfig(&before);
    else
        _tile_release();
}

template <int BITS>
void rows_amx_with(const Job& job, int64_t first, int64_t last) {
    if (job.padded == 16) return rows_amx<BITS, 4>(job, first, last);
    if (job.padded == 32) return rows_amx<BITS, 2>(job, first, last);
    return rows_amx<BITS, 1>(job, first, last);
}

void rows_amx_any(const Job& job, int64_t first, int64_t last) {
    if (job.bits == 4) return rows_amx_with<4>(job, first, last);
    if (job.bits == 3) return rows_amx_with<3>(job, first, last);
    return rows_amx_with<2>(job, first, last);
}

// Weights ---------------------------------------------------------------------------

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

bool may_use_tiles() {  // Linux gives the tiles' state to those who ask
    constexpr int ask = 0x1023, tile_data = 18;
    static const bool allowed = syscall(SYS_arch_prctl, ask, tile_data) == 0;
    return allowed;
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
#endif

void expand_decoded(const Job& job, int64_t first, int64_t last, Decode decode) {
    std::vector<float> row(job.K);
    for (int64_t n = first; n < last; n++) {
        decode(job, job.packed + n * job.row_bytes, row.data());
        for (int64_t k = 0; k < job.K; k++) {
            const float value = row[k / CHUNK * CHUNK + place(int(k % CHUNK))] *
                                widen(job.scales[n * job.groups + k / job.group]);
            if (job.bf16)
                static_cast<uint16_t*>(job.out)[n * job.K + k] = narrow(value);
            else
                static_cast<float*>(job.out)[n * job.K + k] = value;
        }
    }
}

uint64_t read_portable(const uint8_t* from, int64_t bytes) {
    uint64_t all[4] = {};
    for (int64_t i = 0; i + 32 <= bytes; i += 32)
        for (int l = 0; l < 4; l++) {
            uint64_t word;
            std::memcpy(&word, from + i + 8 * l, 8);
            all[l] |= word;
        }
    return all[0] | all[1] | all[2] | all[3];
}

int best_isa() {
#ifdef FLUTE_X86
    __builtin_cpu_init();
    const bool avx512 = __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
                        __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("bmi2");
    if (avx512) {
        uint32_t a = 7, b, c = 0, d;
        __asm__("cpuid" : "+a"(a), "=b"(b), "+c"(c), "=d"(d));
        const bool tiles = (d >> 22 & 1) && (d >> 24 & 1);  // amx-bf16, amx-tile
        return tiles && may_use_tiles() ? AMX : AVX512;
    }
    if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) return AVX2;
#endif
    return PORTABLE;
}

// Threads ---------------------------------------------------------------------------

// GOMP_parallel of the OpenMP that torch runs on, so that its threads are used and none compete with them.
using Parallel = void (*)(void (*)(void*), void*, unsigned, unsigned);
std::atomic<Parallel> openmp{nullptr};

template <typename Work>
struct Pieces {
    const Work& work;
    int64_t count;
    std::atomic<int64_t> next{0};
    std::atomic<bool> failed{false};

    static void run(void* self) {
        auto& pieces = *static_cast<Pieces*>(self);
        try {
            for (int64_t i = pieces.next++; i < pieces.count; i = pieces.next++) pieces.work(i);
        } catch (const std::bad_alloc&) {
            pieces.failed = true;
        }
    }
};

// Runs work(i) for i < count. A thread that cannot be started is done without.
template <typename Work>
void spread(int64_t count, int threads, const Work& work) {
    Pieces<Work> pieces{work, count};
    threads = int(std::min<int64_t>(threads, count));
    if (threads < 2) {
        Pieces<Work>::run(&pieces);
    } else if (const Parallel parallel = openmp) {
        parallel(Pieces<Work>::run, &pieces, unsigned(threads), 0);
    } else {
        std::vector<std::thread> others;
        for (int t = 1; t < threads; t++) {
            try {
                others.emplace_back(Pieces<Work>::run, &pieces);
            } catch (const std::system_error&) {
                break;
            }
        }
        Pieces<Work>::run(&pieces);
        for (auto& other : others) other.join();
    }
    if (pieces.failed) throw std::bad_alloc();
}

// Activations -----------------------------------------------------------------------

// Zeros on a cache line's edge: a load that crosses two lines costs twice.
template <typename T>
struct Lined {
    T* data = nullptr;

    void reserve(int64_t count) {
        const size_t bytes = (size_t(count) * sizeof(T) + 63) / 64 * 64;
        data = static_cast<T*>(std::aligned_alloc(64, bytes));
        if (!data) throw std::bad_alloc();
        std::memset(data, 0, bytes);
    }
    Lined() = default;
    Lined(const Lined&) = delete;
    Lined& operator=(const Lined&) = delete;
    ~Lined() { std::free(data); }
};

void arrange_tiles(const uint16_t* x, int64_t M, int64_t padded, int64_t K, Lined<uint16_t>& to) {
    to.reserve(padded * K);
    for (int64_t c = 0; c < K / CHUNK; c++)
        for (int64_t m0 = 0; m0 < M; m0 += 16) {
            uint16_t* tile = to.data + (c * padded + m0) * CHUNK;
            for (int64_t m = 0; m < 16 && m0 + m < M; m++) {
                const uint16_t* from = x + (m0 + m) * K + c * CHUNK;
                for (int64_t pair = 0; pair < 16; pair++) std::memcpy(tile + pair * CHUNK + m * 2, from + 2 * pair, 4);
            }
        }
}

void arrange_singles(const void* x, bool bf16, int64_t M, int64_t padded, int64_t K, Lined<float>& to) {
    to.reserve(padded * K);
    for (int64_t m = 0; m < M; m++)
        for (int64_t c = 0; c < K / CHUNK; c++) {
            float* chunk = to.data + (c * padded + m) * CHUNK;
            const int64_t at = m * K + c * CHUNK;
            for (int w = 0; w < CHUNK; w++)
                chunk[place(w)] =
                    bf16 ? widen(static_cast<const uint16_t*>(x)[at + w]) : static_cast<const float*>(x)[at + w];
        }
}

int64_t padded_rows(int64_t M) { return M <= 2 ? M : M <= 4 ? 4 : (M + 7) / 8 * 8; }

}  // namespace

extern "C" {

int flute_version() { return 1; }

// The best instruction set of this machine, as in Isa.
int flute_isa() { return best_isa(); }

// The address of GOMP_parallel, or null for threads of our own.
void flute_threads_of(void* address) { openmp = reinterpret_cast<Parallel>(address); }

// out (M, N) = x (M, K) times the weights, transposed, plus bias. All contiguous. x and out are bfloat16
// if bf16, else float32; with bfloat16 the table is rounded to it. Scales are bfloat16, (N, K / group).
// Answers 0; 1 if memory ran out; 2 if the machine lacks the instruction set asked for; 3 if the shapes
// or numbers are not those of a packed weight.
int flute_linear(const uint8_t* packed, const float* table, const uint16_t* scales, const void* x, const float* bias,
                 void* out, int64_t M, int64_t N, int64_t K, int bits, int64_t group, int bf16, int isa, int threads) {
    if (isa < 1 || isa > best_isa()) return 2;
    if (bits < 2 || bits > 4 || (group != 32 && group != 64 && group != 128 && group != 256) || K % group) return 3;
    if (M < 1 || N < 1 || K < 1) return M < 0 || N < 0 || K < 1 ? 3 : 0;
    try {
        float values[16];
        for (int i = 0; i < 1 << bits; i++) values[i] = bf16 ? widen(narrow(table[i])) : table[i];
        Job job{packed, scales, values, x, bias, out, M, padded_rows(M), N, K, K / 8 * bits, K / group, group, bits,
                bf16 != 0};
        Lined<uint16_t> halves;
        Lined<float> singles;
        bool tiles = false;
        void (*rows)(const Job&, int64_t, int64_t) = rows_portable;
#ifdef FLUTE_X86
        if (bf16 && isa == AMX && M >= TILES_FROM) {
            job.padded = M <= 16 ? 16 : M <= 32 ? 32 : (M + 63) / 64 * 64;
            arrange_tiles(static_cast<const uint16_t*>(x), M, job.padded, K, halves);
            job.x = halves.data;
            tiles = true;
            rows = rows_amx_any;
        } else if (isa >= AVX512) {
            rows = rows_avx512;
        } else if (isa == AVX2) {
            rows = rows_avx2;
        }
#endif
        if (!tiles) {
            arrange_singles(x, bf16 != 0, M, job.padded, K, singles);
            job.x = singles.data;
        }
        if (threads < 1 || M * N * K < (1 << 17)) threads = 1;
        const int64_t unit = tiles ? 64 : 16, pieces = unit * 8 * threads;
        const int64_t piece = std::max<int64_t>(1, (N + pieces - 1) / pieces) * unit;
        spread((N + piece - 1) / piece, threads,
               [&](int64_t i) { rows(job, i * piece, std::min(N, (i + 1) * piece)); });
    } catch (const std::bad_alloc&) {
        return 1;
    }
    return 0;
}

// out (N, K) = the weights themselves, in float32, or in bfloat16 with the table and the product rounded to it.
// Answers as flute_linear.
int flute_expand(const uint8_t* packed, const float* table, const uint16_t* scales, void* out, int64_t N, int64_t K,
                 int bits, int64_t group, int bf16, int isa, int threads) {
    if (isa < 1 || isa > best_isa()) return 2;
    if (bits < 2 || bits > 4 || group < 32 || group % 32 || K % group || K < 1 || N < 0) return 3;
    try {
        float values[16];
        for (int i = 0; i < 1 << bits; i++) values[i] = bf16 ? widen(narrow(table[i])) : table[i];
        const Job job{packed, scales, values, nullptr, nullptr, out, 0, 0, N, K, K / 8 * bits, K / group, group, bits,
                      bf16 != 0};
        spread((N + 15) / 16, threads, [&](int64_t i) {
            const int64_t first = i * 16, last = std::min(N, first + 16);
#ifdef FLUTE_X86
            if (isa >= AVX512)
                return bits == 4   ? expand_avx512<4>(job, first, last)
                       : bits == 3 ? expand_avx512<3>(job, first, last)
                                   : expand_avx512<2>(job, first, last);
            if (isa == AVX2)
                return expand_decoded(job, first, last, bits == 4   ? decode_avx2<4>
                                                        : bits == 3 ? decode_avx2<3>
                                                                    : decode_avx2<2>);
#endif
            expand_decoded(job, first, last, decode_portable);
        });
    } catch (const std::bad_alloc&) {
        return 1;
    }
    return 0;
}

// Reads all bytes once, to see how fast that goes; the answer depends on them.
uint64_t flute_read(const uint8_t* from, int64_t bytes, int isa, int threads) {
    std::atomic<uint64_t> all{0};
    const int64_t piece = 1 << 20, count = (bytes + piece - 1) / piece;
    spread(count, threads, [&](int64_t i) {
        const int64_t here = std::min(piece, bytes - i * piece);
#ifdef FLUTE_X86
        if (isa >= AVX512 && isa <= best_isa()) {
            all |= read_avx512(from + i * piece, here);
            return;
        }
#endif
        all |= read_portable(from + i * piece, here);
    });
    return all;
}
}
