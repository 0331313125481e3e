// The format of packed codes, and what reads it on any processor.
//
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
// Activations are arranged as [chunk][m][32] in float32, even columns before odd ones, because a lane of 32 bits
// holds an even word below and an odd word above. Tiles have an order of their own: see amx.h.
//
// Sums: products of a group are added in float32, then take the group's scale. The instruction set is
// chosen when called, so one object serves all machines of an architecture.

#pragma once

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

}  // namespace

#ifdef FLUTE_X86
#define INLINE inline __attribute__((always_inline))
#define ON_AVX2 __attribute__((target("avx2,fma")))
#define ON_AVX512 __attribute__((target("avx512f,avx512bw,avx512vl,bmi2")))
#define ON_AMX __attribute__((target("avx512f,avx512bw,avx512vl,bmi2,amx-tile,amx-bf16")))
#endif
