// Spikes add rows of a weight table to their targets: the kernel that all the time should go to.
#pragma once
#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include "session.h"

namespace ei {

#if defined(__AVX512F__)
constexpr int VECTOR_BYTES = 64, TILE_VECTORS = 16;
#elif defined(__AVX__)
constexpr int VECTOR_BYTES = 32, TILE_VECTORS = 8;
#else
constexpr int VECTOR_BYTES = 16, TILE_VECTORS = 8;
#endif
template <class T> struct Vector {
  typedef T type __attribute__((vector_size(VECTOR_BYTES)));
  static constexpr int WIDTH = VECTOR_BYTES / sizeof(T), TILE = TILE_VECTORS;
};
template <class T> constexpr size_t padded(size_t n) { return (n * sizeof(T) + 63) / 64 * 64 / sizeof(T); }

inline void* large(size_t bytes) {  // on huge pages where the system has them
  constexpr size_t PAGE = size_t(2) << 20;
  void* at = nullptr;
  if (posix_memalign(&at, bytes >= PAGE / 4 ? PAGE : 64, std::max<size_t>(bytes, 64)) != 0) fail(4, "no memory for %zu bytes", bytes);
#ifdef MADV_HUGEPAGE
  if (bytes >= PAGE / 4) madvise(at, (bytes + PAGE - 1) / PAGE * PAGE, MADV_HUGEPAGE);
#endif
  return at;
}

template <class T> struct PaddedRows {  // each row on cache lines of its own
  const T* from = nullptr;
  T* at = nullptr;
  const T* fill(const T* rows, size_t n_rows, size_t n) {
    const size_t stride = padded<T>(n);
    if (!at) at = static_cast<T*>(large(n_rows * stride * sizeof(T)));
    for (size_t row = 0; row < n_rows && rows != from; row++) {
      std::copy(rows + row * n, rows + (row + 1) * n, at + row * stride);
      std::fill(at + row * stride + n, at + (row + 1) * stride, T(0));
    }
    from = rows;
    return at;
  }
};

// rows are added in their order, so that the sum of a neuron rounds as it does in the reference; a tile of the sum stays in registers
template <int VECTORS, int COUNT, int ND, bool SIZED, class T> void add_tile(const T* rows, T* __restrict target, const int32_t* ids, int base, int n, const T* sizes) {
  using V = typename Vector<T>::type;
  constexpr size_t STRIDE = padded<T>(ND);
  constexpr int LAST = sizeof(T) * (COUNT - (VECTORS - 1) * Vector<T>::WIDTH);  // bytes of the last vector that are neurons
  V sum[VECTORS];
  sum[VECTORS - 1] = V{};
#pragma GCC unroll 16
  for (int v = 0; v < VECTORS; v++) std::memcpy(&sum[v], target + v * Vector<T>::WIDTH, v + 1 < VECTORS ? sizeof(V) : LAST);
  for (int k = 0; k < n; k++) {
    const T* row = rows + size_t(ids[k] - base) * STRIDE;
#pragma GCC unroll 16
    for (int v = 0; v < VECTORS; v++) {
      V values;
      std::memcpy(&values, row + v * Vector<T>::WIDTH, sizeof(V));
      if constexpr (SIZED) sum[v] += sizes[k] * values;
      else sum[v] += values;
    }
  }
#pragma GCC unroll 16
  for (int v = 0; v < VECTORS; v++) std::memcpy(target + v * Vector<T>::WIDTH, &sum[v], v + 1 < VECTORS ? sizeof(V) : LAST);
}
template <int ND, bool SIZED, class T> void add_dense(const Table<T>& table, T* __restrict target, const int32_t* ids, int base, int n, const T* sizes) {
  constexpr int WIDTH = Vector<T>::WIDTH, TILE = WIDTH * Vector<T>::TILE;
  constexpr int WHOLE = ND / TILE, REST = ND - WHOLE * TILE;
  for (int tile = 0; tile < WHOLE; tile++)
    add_tile<Vector<T>::TILE, TILE, ND, SIZED>(table.rows + tile * TILE, target + tile * TILE, ids, base, n, sizes);
  if constexpr (REST > 0)
    add_tile<(REST + WIDTH - 1) / WIDTH, REST, ND, SIZED>(table.rows + WHOLE * TILE, target + WHOLE * TILE, ids, base, n, sizes);
}

template <class T> void add_sparse(const Table<T>& table, T* __restrict target, const int32_t* ids, int base, int n, const T* sizes) {
  for (int k = 0; k < n; k++) {
    const int unit = ids[k] - base;
    const T size = sizes ? sizes[k] : T(1);
    for (int64_t s = table.first[unit]; s < table.first[unit + 1]; s++) target[table.target[s]] += size * table.rows[s];
  }
}

}  // namespace ei
