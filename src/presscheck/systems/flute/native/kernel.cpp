// What Python calls: products with packed weights, their expansion, and a probe of the memory's speed.
//
// codes.h describes the format; avx2.h, avx512.h and amx.h hold an instruction set each. Which of them runs is
// decided when called, so one object serves all machines of an architecture.

#include <atomic>
#include <system_error>
#include <thread>

#include "amx.h"
#include "avx2.h"

namespace {

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
        const int64_t unit = tiles ? 64 : 16, pieces = unit * (tiles ? 3 : 8) * threads;
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
