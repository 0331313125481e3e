// L-Mul on float32 bit patterns: element by element, and inside a matrix product.
//
// Reference: Luo and Sun, arXiv 2410.00907, section 2 and the assembly of its appendix.
// What it computes is stated by the torch code in lmul.py; both must agree to the last bit, so every
// output of a matrix product is one float32 accumulator that takes its products in the order of k.
//
// Letters: M rows of a, N columns of b, K summed over; "low" is the mantissa of 23 bits.
// The constant c is 2^-l in units of the last mantissa bit. "literal" is Eq. 1 read literally: a
// mantissa sum that passes 1 is not doubled by its carry.
//
// The instruction set is chosen when called, so one object serves all machines of an architecture.

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <cstring>
#include <functional>
#include <new>
#include <system_error>
#include <thread>
#include <vector>

#if defined(__x86_64__)
#include <immintrin.h>
#define LMUL_X86 1
#endif

namespace {

constexpr uint32_t SIGN = 0x80000000u, MAGNITUDE = 0x7FFFFFFFu, INFINITE = 0x7F800000u;
constexpr uint32_t NORMAL = 0x00800000u, LOW = 0x007FFFFFu, ONE = 0x3F800000u, QUIET_NAN = 0x7FC00000u;
constexpr int32_t HALF_STEP = 0x00400000;

// Below 2^63 neither a product nor a sum of biased patterns can leave the 31 bits, so the fast path
// needs one comparison, for results that are too small.
constexpr uint32_t FAST_BELOW = 0x5F000000u;
// A zero's pattern: added to any pattern the fast path may meet, itself included, it stays below NORMAL
// and does not wrap.
constexpr int32_t ZERO = -0x40000000;

enum Isa { PORTABLE = 1, AVX2 = 2, AVX512 = 3 };

uint32_t one(uint32_t a, uint32_t b, int32_t c, bool literal) {
    const uint32_t ma = a & MAGNITUDE, mb = b & MAGNITUDE, sign = (a ^ b) & SIGN;
    if (ma > INFINITE || mb > INFINITE) return QUIET_NAN;
    const bool zero = ma < NORMAL || mb < NORMAL;
    if (ma == INFINITE || mb == INFINITE) return zero ? QUIET_NAN : INFINITE | sign;
    if (zero) return sign;
    int64_t r;
    if (literal) {
        const int64_t sum = int64_t(ma & LOW) + (mb & LOW) + c;
        r = int64_t(ma & INFINITE) + (mb & INFINITE) - ONE + std::min<int64_t>(sum, (sum >> 1) + HALF_STEP);
    } else {
        r = int64_t(ma) + mb - ONE + c;
    }
    if (r < int64_t(NORMAL)) return sign;
    if (r >= int64_t(INFINITE)) return INFINITE | sign;
    return uint32_t(r) | sign;
}

// The two addends of the exponent rule share its offset, so that each stays in 31 bits.
struct Offsets {
    int32_t a, b, c;
    Offsets(int32_t constant, bool literal) : c(constant) {
        const int32_t whole = literal ? int32_t(ONE) : int32_t(ONE) - constant;
        a = whole >> 1;
        b = whole - a;
    }
};

// A packed operand: `planes` numbers for an element, each plane `width` apart.
// Plane 0 is the pattern less its half of the offset, plane 1 the sign; read literally, plane 0 has the
// exponent only and plane 2 the mantissa (with the constant, in b).
inline void pack_one(uint32_t bits, int32_t offset, int32_t c, bool literal, int32_t* to, int64_t width) {
    const uint32_t magnitude = bits & MAGNITUDE;
    to[width] = int32_t(bits & SIGN);
    if (literal) {
        to[0] = magnitude < NORMAL ? ZERO : int32_t(magnitude & INFINITE) - offset;
        to[2 * width] = int32_t(magnitude & LOW) + c;
    } else {
        to[0] = magnitude < NORMAL ? ZERO : int32_t(magnitude) - offset;
    }
}

struct Shape {
    int64_t batch, M, N, K;
};
struct Strides {
    int64_t batch, row, column;
};

inline uint32_t bits_at(const float* from, int64_t at) {
    uint32_t bits;
    std::memcpy(&bits, from + at, 4);
    return bits;
}

// One tile: MR rows of a against NR columns of b, over all of K.
using Micro = void (*)(int64_t K, const int32_t* a, const int32_t* b, float* tile);

template <int MR, int NR, bool LITERAL>
void micro_portable(int64_t K, const int32_t* a, const int32_t* b, float* tile) {
    constexpr int P = LITERAL ? 3 : 2;
    std::fill(tile, tile + MR * NR, 0.0f);
    for (int64_t k = 0; k < K; k++, a += P * MR, b += P * NR)
        for (int m = 0; m < MR; m++)
            for (int n = 0; n < NR; n++) {
                int32_t r = a[m] + b[n];
                if (LITERAL) {
                    const int32_t sum = a[2 * MR + m] + b[2 * NR + n];
                    r += std::min(sum, (sum >> 1) + HALF_STEP);
                }
                const int32_t bits = r >= int32_t(NORMAL) ? r ^ a[MR + m] ^ b[NR + n] : 0;
                float product;
                std::memcpy(&product, &bits, 4);
                tile[m * NR + n] += product;
            }
}

#ifdef LMUL_X86
template <int MR, int V, bool LITERAL>
__attribute__((target("avx512f"))) void micro_avx512(int64_t K, const int32_t* a, const int32_t* b, float* tile) {
    constexpr int P = LITERAL ? 3 : 2, NR = 16 * V;
    const __m512i normal = _mm512_set1_epi32(int32_t(NORMAL)), half = _mm512_set1_epi32(HALF_STEP);
    __m512 sums[MR][V];
    for (int m = 0; m < MR; m++)
        for (int v = 0; v < V; v++) sums[m][v] = _mm512_setzero_ps();
    for (int64_t k = 0; k < K; k++, a += P * MR, b += P * NR) {
        __m512i pattern[V], sign[V], low[V];
        for (int v = 0; v < V; v++) {
            pattern[v] = _mm512_loadu_si512(b + 16 * v);
            sign[v] = _mm512_loadu_si512(b + NR + 16 * v);
            if (LITERAL) low[v] = _mm512_loadu_si512(b + 2 * NR + 16 * v);
        }
#pragma GCC unroll 8
        for (int m = 0; m < MR; m++) {
            const __m512i am = _mm512_set1_epi32(a[m]), as = _mm512_set1_epi32(a[MR + m]);
            for (int v = 0; v < V; v++) {
                __m512i r = _mm512_add_epi32(am, pattern[v]);
                if (LITERAL) {
                    const __m512i sum = _mm512_add_epi32(_mm512_set1_epi32(a[2 * MR + m]), low[v]);
                    r = _mm512_add_epi32(
                        r, _mm512_min_epi32(sum, _mm512_add_epi32(_mm512_srai_epi32(sum, 1), half)));
                }
                const __mmask16 kept = _mm512_cmpge_epi32_mask(r, normal);
                const __m512i bits = _mm512_maskz_ternarylogic_epi32(kept, r, as, sign[v], 0x96);  // r ^ as ^ sign
                sums[m][v] = _mm512_add_ps(sums[m][v], _mm512_castsi512_ps(bits));
            }
        }
    }
    for (int m = 0; m < MR; m++)
        for (int v = 0; v < V; v++) _mm512_storeu_ps(tile + m * NR + 16 * v, sums[m][v]);
}

template <int MR, int V, bool LITERAL>
__attribute__((target("avx2"))) void micro_avx2(int64_t K, const int32_t* a, const int32_t* b, float* tile) {
    constexpr int P = LITERAL ? 3 : 2, NR = 8 * V;
    const __m256i below = _mm256_set1_epi32(int32_t(NORMAL) - 1), half = _mm256_set1_epi32(HALF_STEP);
    __m256 sums[MR][V];
    for (int m = 0; m < MR; m++)
        for (int v = 0; v < V; v++) sums[m][v] = _mm256_setzero_ps();
    for (int64_t k = 0; k < K; k++, a += P * MR, b += P * NR) {
#pragma GCC unroll 8
        for (int m = 0; m < MR; m++) {
            const __m256i am = _mm256_set1_epi32(a[m]), as = _mm256_set1_epi32(a[MR + m]);
            for (int v = 0; v < V; v++) {
                const __m256i pattern = _mm256_loadu_si256((const __m256i*)(b + 8 * v));
                const __m256i sign = _mm256_loadu_si256((const __m256i*)(b + NR + 8 * v));
                __m256i r = _mm256_add_epi32(am, pattern);
                if (LITERAL) {
                    const __m256i low = _mm256_loadu_si256((const __m256i*)(b + 2 * NR + 8 * v));
                    const __m256i sum = _mm256_add_epi32(_mm256_set1_epi32(a[2 * MR + m]), low);
                    r = _mm256_add_epi32(
                        r, _mm256_min_epi32(sum, _mm256_add_epi32(_mm256_srai_epi32(sum, 1), half)));
                }
                const __m256i kept = _mm256_cmpgt_epi32(r, below);
                const __m256i bits = _mm256_and_si256(kept, _mm256_xor_si256(r, _mm256_xor_si256(as, sign)));
                sums[m][v] = _mm256_add_ps(sums[m][v], _mm256_castsi256_ps(bits));
            }
        }
    }
    for (int m = 0; m < MR; m++)
        for (int v = 0; v < V; v++) _mm256_storeu_ps(tile + m * NR + 8 * v, sums[m][v]);
}
#endif

struct Kernel {
    int MR, NR;
    Micro micro;
};

Kernel kernel_for(int isa, bool literal) {
#ifdef LMUL_X86
    if (isa == AVX512) return {6, 32, literal ? micro_avx512<6, 2, true> : micro_avx512<6, 2, false>};
    if (isa == AVX2) return {4, 16, literal ? micro_avx2<4, 2, true> : micro_avx2<4, 2, false>};
#endif
    return {4, 16, literal ? micro_portable<4, 16, true> : micro_portable<4, 16, false>};
}

// Runs work(unit, thread) for all units. A thread that cannot be started is done without.
void spread(int64_t units, int threads, const std::function<void(int64_t, int)>& work) {
    std::atomic<int64_t> next{0};
    auto loop = [&](int thread) {
        for (int64_t unit = next++; unit < units; unit = next++) work(unit, thread);
    };
    std::vector<std::thread> others;
    others.reserve(threads);
    for (int t = 1; t < threads && t < units; t++) {
        try {
            others.emplace_back(loop, t);
        } catch (const std::system_error&) {
            break;
        }
    }
    loop(0);
    for (auto& other : others) other.join();
}

bool all_below(const float* from, int64_t batch, int64_t rows, int64_t columns, Strides s) {
    for (int64_t i = 0; i < batch; i++)
        for (int64_t r = 0; r < rows; r++) {
            uint32_t largest = 0;
            for (int64_t c = 0; c < columns; c++)
                largest = std::max(largest, bits_at(from, i * s.batch + r * s.row + c * s.column) & MAGNITUDE);
            if (largest >= FAST_BELOW) return false;
        }
    return true;
}

// For operands with infinities, NaN or magnitudes from 2^63: the same sums, with every check.
void matmul_checked(const float* a, Strides sa, const float* b, Strides sb, float* out, Shape s, int32_t c,
                    bool literal, int threads) {
    spread(s.batch * s.M, threads, [&](int64_t unit, int) {
        const int64_t i = unit / s.M, m = unit % s.M;
        float* row = out + unit * s.N;
        std::fill(row, row + s.N, 0.0f);
        for (int64_t k = 0; k < s.K; k++) {
            const uint32_t x = bits_at(a, i * sa.batch + m * sa.row + k * sa.column);
            for (int64_t n = 0; n < s.N; n++) {
                const uint32_t bits = one(x, bits_at(b, i * sb.batch + k * sb.row + n * sb.column), c, literal);
                float product;
                std::memcpy(&product, &bits, 4);
                row[n] += product;
            }
        }
    });
}

void matmul_fast(const float* a, Strides sa, const float* b, Strides sb, float* out, Shape s, int32_t c,
                 bool literal, int isa, int threads) {
    const Kernel kernel = kernel_for(isa, literal);
    const int P = literal ? 3 : 2, MR = kernel.MR, NR = kernel.NR;
    const Offsets offsets(c, literal);
    const int64_t row_blocks = (s.M + MR - 1) / MR, panels = (s.N + NR - 1) / NR;
    const int64_t a_block = s.K * P * MR, b_panel = s.K * P * NR;
    // Padding has plane 0 at ZERO and nothing else, so its products are zeros that are not stored.
    std::vector<int32_t> packed_a(s.batch * row_blocks * a_block), packed_b(threads * b_panel);
    std::vector<float> tiles(threads * MR * NR);
    spread(s.batch * row_blocks, threads, [&](int64_t unit, int) {
        const int64_t i = unit / row_blocks, first = unit % row_blocks * MR;
        int32_t* to = packed_a.data() + unit * a_block;
        for (int m = 0; m < MR; m++)
            for (int64_t k = 0; k < s.K; k++) {
                const bool inside = first + m < s.M;
                const uint32_t bits = inside ? bits_at(a, i * sa.batch + (first + m) * sa.row + k * sa.column) : 0;
                pack_one(bits, offsets.a, 0, literal, to + k * P * MR + m, MR);
            }
    });
    spread(s.batch * panels, threads, [&](int64_t unit, int thread) {
        const int64_t i = unit / panels, first = unit % panels * NR;
        int32_t* panel = packed_b.data() + thread * b_panel;
        for (int n = 0; n < NR; n++)
            for (int64_t k = 0; k < s.K; k++) {
                const bool inside = first + n < s.N;
                const uint32_t bits = inside ? bits_at(b, i * sb.batch + k * sb.row + (first + n) * sb.column) : 0;
                pack_one(bits, offsets.b, literal ? offsets.c : 0, literal, panel + k * P * NR + n, NR);
            }
        float* tile = tiles.data() + thread * MR * NR;
        const int64_t columns = std::min<int64_t>(NR, s.N - first);
        for (int64_t block = 0; block < row_blocks; block++) {
            kernel.micro(s.K, packed_a.data() + (i * row_blocks + block) * a_block, panel, tile);
            const int64_t rows = std::min<int64_t>(MR, s.M - block * MR);
            for (int64_t m = 0; m < rows; m++)
                std::copy_n(tile + m * NR, columns, out + (i * s.M + block * MR + m) * s.N + first);
        }
    });
}

}  // namespace

extern "C" {

int lmul_version() { return 1; }

// The best instruction set of this machine: 3 AVX-512, 2 AVX2, 1 none of the two.
int lmul_isa() {
#ifdef LMUL_X86
    if (__builtin_cpu_supports("avx512f")) return AVX512;
    if (__builtin_cpu_supports("avx2")) return AVX2;
#endif
    return PORTABLE;
}

void lmul_elementwise(const uint32_t* a, const uint32_t* b, uint32_t* out, int64_t n, int32_t c, int literal) {
    for (int64_t i = 0; i < n; i++) out[i] = one(a[i], b[i], c, literal != 0);
}

// out (batch, M, N), contiguous. Strides of a and b are batch, row, column, in elements.
// Answers 0; 1 if memory ran out; 2 if the machine lacks the instruction set asked for.
int lmul_matmul(const float* a, const int64_t* a_strides, const float* b, const int64_t* b_strides, float* out,
                int64_t batch, int64_t M, int64_t N, int64_t K, int32_t c, int literal, int isa, int threads) {
    if (isa > lmul_isa()) return 2;
    const Strides sa{a_strides[0], a_strides[1], a_strides[2]}, sb{b_strides[0], b_strides[1], b_strides[2]};
    const Shape shape{batch, M, N, K};
    if (threads < 1 || batch * M * N * K < (1 << 16)) threads = 1;
    try {
        // b transposed is read along its memory, whichever way it lies.
        const bool upright = sb.column <= sb.row;
        const Strides along = upright ? sb : Strides{sb.batch, sb.column, sb.row};
        if (all_below(a, batch, M, K, sa) && all_below(b, batch, upright ? K : N, upright ? N : K, along))
            matmul_fast(a, sa, b, sb, out, shape, c, literal != 0, isa, threads);
        else
            matmul_checked(a, sa, b, sb, out, shape, c, literal != 0, threads);
    } catch (const std::bad_alloc&) {
        return 1;
    }
    return 0;
}
}
