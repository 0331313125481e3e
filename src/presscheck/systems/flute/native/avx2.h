// Rows expanded into float32 by AVX2, then multiplied.

#pragma once

#include "codes.h"

#ifdef FLUTE_X86
namespace {

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

}  // namespace
#endif
