// Small matrix products: gradients of some trials side by side, times weights kept in panels of a few vectors' width.
#pragma once
#include "engine.h"

namespace ei {

#if defined(__AVX512F__)
constexpr int PANEL = 3, ROWS = 8;  // 24 sums stay in 32 registers
#else
constexpr int PANEL = 3, ROWS = 4;
#endif

template <class R> inline size_t panels_size(int n_target, int n_source) {
  const int width = (n_source + LANES<R> - 1) / LANES<R> * LANES<R>;
  return size_t(n_target) * width;
}

// Weights (n_target, n_source), rows of the target, into panels: all targets of the first PANEL vectors of sources, and so on.
template <class R> void to_panels(const R* weights, int n_target, int n_source, R* panels) {
  for (int first = 0; first < n_source; first += PANEL * LANES<R>) {
    const int left = n_source - first, full = PANEL * LANES<R>;
    const int width = left >= full ? full : (left + LANES<R> - 1) / LANES<R> * LANES<R>, used = left < width ? left : width;
    for (int k = 0; k < n_target; k++, panels += width) {
      std::memcpy(panels, weights + size_t(k) * n_source + first, used * sizeof(R));
      std::memset(static_cast<void*>(panels + used), 0, (width - used) * sizeof(R));
    }
  }
}

template <class R, int M, int N>
inline void product_tile(const R* a, int a_width, int n_target, const R* panel, R* out, int out_width, bool add) {
  Vector<R> sum[M][N];
  for (int i = 0; i < M; i++)
    for (int k = 0; k < N; k++) sum[i][k] = add ? ((Vector<R>*)(out + size_t(i) * out_width))[k] : Vector<R>{};
  const Vector<R>* b = (const Vector<R>*)panel;
  for (int j = 0; j < n_target; j++, b += N)
    for (int i = 0; i < M; i++) {
      const R x = a[size_t(i) * a_width + j];
      for (int k = 0; k < N; k++) sum[i][k] += b[k] * x;
    }
  for (int i = 0; i < M; i++)
    for (int k = 0; k < N; k++) ((Vector<R>*)(out + size_t(i) * out_width))[k] = sum[i][k];
}

template <class R, int N>
inline void product_panel(const R* a, int a_width, int m, int n_target, const R* panel, R* out, int out_width, bool add) {
  int i = 0;
  for (; i + ROWS <= m; i += ROWS)
    product_tile<R, ROWS, N>(a + size_t(i) * a_width, a_width, n_target, panel, out + size_t(i) * out_width, out_width, add);
  for (; i < m; i++)
    product_tile<R, 1, N>(a + size_t(i) * a_width, a_width, n_target, panel, out + size_t(i) * out_width, out_width, add);
}

// out (m, out_width) = or += a (m, n_target) times the weights of the panels (n_target, n_source).
template <class R>
void product(const R* a, int a_width, int m, int n_target, int n_source, const R* panels, R* out, int out_width, bool add) {
  for (int first = 0; first < n_source; first += PANEL * LANES<R>) {
    const int vectors = (n_source - first + LANES<R> - 1) / LANES<R>, n = vectors < PANEL ? vectors : PANEL;
    if (n == 3) product_panel<R, 3>(a, a_width, m, n_target, panels, out + first, out_width, add);
    else if (n == 2) product_panel<R, 2>(a, a_width, m, n_target, panels, out + first, out_width, add);
    else product_panel<R, 1>(a, a_width, m, n_target, panels, out + first, out_width, add);
    panels += size_t(n_target) * n * LANES<R>;
  }
}

}  // namespace ei
