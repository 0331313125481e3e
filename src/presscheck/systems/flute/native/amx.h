// Rows looked up in bfloat16 and multiplied by AMX, 16 rows and 16 activations a tile.

#pragma once

#include "avx512.h"

#ifdef FLUTE_X86
namespace {

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

// Sums of a tile have 16 rows and M columns, 16 or 4 of them: as many vectors, of one row or of four.
// scales: of 16 RB rows.
template <int RB, int M>
ON_AMX INLINE void add_tiles(const float* scales, __m512 (*sums)[M], float (*parts)[M][16]) {
    _tile_stored(0, parts[0], 4 * M);
    _tile_stored(1, parts[1], 4 * M);
    _tile_stored(2, parts[2], 4 * M);
    _tile_stored(3, parts[3], 4 * M);
    __asm__ volatile("" ::: "memory");
    const __m512i quarters = _mm512_set_epi32(3, 3, 3, 3, 2, 2, 2, 2, 1, 1, 1, 1, 0, 0, 0, 0);
    for (int t = 0; t < TILES; t++) {
        const float* of_rows = scales + t / (TILES / RB) * TILE;
#pragma GCC unroll 16
        for (int v = 0; v < M; v++) {
            const __m512 scale =
                M == 16 ? _mm512_set1_ps(of_rows[v])
                        : _mm512_permutexvar_ps(quarters, _mm512_castps128_ps512(_mm_loadu_ps(of_rows + 4 * v)));
            sums[t][v] = _mm512_fmadd_ps(_mm512_load_ps(parts[t][v]), scale, sums[t][v]);
        }
    }
}

template <int BITS, int RB, int M>
ON_AMX void rows_amx(const Job& job, int64_t first, int64_t last) {
    constexpr int in_block = block_chunks(BITS), in_step = 4, T = TILES / RB, rows_at_once = RB * TILE;
    constexpr int64_t apart = in_step * TILE * CHUNK, step_bytes = in_step * CHUNK * BITS / 8;
    const Halves lanes(job);
    // While one is multiplied, the other is filled.
    alignas(64) uint16_t weights[2][RB][in_step][TILE][CHUNK];
    alignas(64) float parts[TILES][M][16];
    __m512 sums[TILES][M];
    TileShapes before, shapes;
    for (int t = 0; t < 8; t++) shapes.rows[t] = TILE, shapes.bytes[t] = t == 4 || t == 5 ? 64 : 4 * M;
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
        const uint8_t* coming = job.packed + std::min(n + rows_at_once, last - rows_at_once) * job.row_bytes;
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
                            add_tiles<RB, M>(scales.get() + group * rows_at_once, sums, parts);
                    }
                    if (next < steps)
                        for (int r = j * rows_at_once / in_step; r < (j + 1) * rows_at_once / in_step; r++) {
                            // The next rows are fetched in the order in which they lie.
                            _mm_prefetch((const char*)coming + (next * rows_at_once + r) * step_bytes, _MM_HINT_T1);
                            expand_step<BITS>(lanes, rows[r] + offset, part, weights[next & 1][r / TILE], r % TILE);
                        }
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
                add_tiles<RB, M>(scales.get() + c * CHUNK / job.group * rows_at_once, sums, parts);
            }
            std::memcpy(parts, sums, sizeof sums);
            for (int t = 0; t < TILES; t++)
                for (int r = 0; r < TILE; r++) {
                    const int64_t row = n + t / T * TILE + r, m = m0 + t % T * TILE;
                    const float* line = &parts[t][0][0] + r * M;
                    for (int i = 0; row < last && i < M && m + i < job.M; i++) store(job, m + i, row, line[i]);
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
    if (job.M <= 4) return rows_amx<BITS, 4, 4>(job, first, last);
    if (job.padded == 16) return rows_amx<BITS, 4, 16>(job, first, last);
    if (job.padded == 32) return rows_amx<BITS, 2, 16>(job, first, last);
    return rows_amx<BITS, 1, 16>(job, first, last);
}

void rows_amx_any(const Job& job, int64_t first, int64_t last) {
    if (job.bits == 4) return rows_amx_with<4>(job, first, last);
    if (job.bits == 3) return rows_amx_with<3>(job, first, last);
    return rows_amx_with<2>(job, first, last);
}

bool may_use_tiles() {  // Linux gives the tiles' state to those who ask
    constexpr int ask = 0x1023, tile_data = 18;
    static const bool allowed = syscall(SYS_arch_prctl, ask, tile_data) == 0;
    return allowed;
}

}  // namespace
#endif
