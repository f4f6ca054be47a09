// What forward and backward pass share: weights as rows of padded vectors, states of some trials side by side.
#pragma once
#include <cstdint>
#include <cstring>
#include <new>
#include <vector>
#if defined(__AVX__)
#include <immintrin.h>
#endif

namespace ei {

#if defined(__AVX512F__)
constexpr int BYTES = 64;
#else
constexpr int BYTES = 32;
#endif
typedef float FloatVector __attribute__((vector_size(BYTES), may_alias));
typedef double DoubleVector __attribute__((vector_size(BYTES), may_alias));
template <class R> struct VectorOf;
template <> struct VectorOf<float> { using type = FloatVector; };
template <> struct VectorOf<double> { using type = DoubleVector; };
template <class R> using Vector = typename VectorOf<R>::type;
template <class R> constexpr int LANES = BYTES / int(sizeof(R));

// One bit for each lane above the threshold of 1.
template <class R> inline unsigned above_threshold(Vector<R> v) {
  unsigned bits = 0;
  for (int lane = 0; lane < LANES<R>; lane++) bits |= unsigned(v[lane] > R(1)) << lane;
  return bits;
}
#if defined(__AVX512F__)
template <> inline unsigned above_threshold<float>(FloatVector v) {
  return _mm512_cmp_ps_mask((__m512)v, _mm512_set1_ps(1.0f), _CMP_GT_OQ);
}
template <> inline unsigned above_threshold<double>(DoubleVector v) {
  return _mm512_cmp_pd_mask((__m512d)v, _mm512_set1_pd(1.0), _CMP_GT_OQ);
}
#elif defined(__AVX__)
template <> inline unsigned above_threshold<float>(FloatVector v) {
  return unsigned(_mm256_movemask_ps(_mm256_cmp_ps((__m256)v, _mm256_set1_ps(1.0f), _CMP_GT_OQ)));
}
template <> inline unsigned above_threshold<double>(DoubleVector v) {
  return unsigned(_mm256_movemask_pd(_mm256_cmp_pd((__m256d)v, _mm256_set1_pd(1.0), _CMP_GT_OQ)));
}
#endif

// Memory on vector boundaries, not cleared unless asked.
template <class R> class Array {
 public:
  Array() = default;
  Array(const Array&) = delete;
  Array(Array&& other) noexcept : data_(other.data_), size_(other.size_) { other.data_ = nullptr, other.size_ = 0; }
  ~Array() { release(); }
  R* need(size_t size) {
    if (size > size_) {
      release();
      data_ = static_cast<R*>(::operator new(size * sizeof(R), std::align_val_t(64)));
      size_ = size;
    }
    return data_;
  }
  R* zeros(size_t size) {
    std::memset(static_cast<void*>(need(size)), 0, size * sizeof(R));
    return data_;
  }
  R* get() const { return data_; }

 private:
  void release() {
    if (data_) ::operator delete(data_, std::align_val_t(64));
    data_ = nullptr, size_ = 0;
  }
  R* data_ = nullptr;
  size_t size_ = 0;
};

enum Cell { LIF_EXPONENTIAL, SPYTORCH };
enum Surrogate { FAST_SIGMOID, SUPER_SPIKE, ARCTAN, PIECEWISE_LINEAR };
enum Readout { MAX_SHARED, MAX_FIRST, MEAN, LAST };

struct Shape {  // of a layer, as Python gives it
  int32_t n, n_source, n_project, recurrent;
};

struct Batch {  // trials of a stimulus: their numbers, where their events begin and end, the events sorted by step
  int64_t n_trials;
  const int64_t *trials, *first;
  const int32_t *step, *unit;
  const float* values;  // or null: spikes
  int32_t n_steps;
};

template <class R> struct Layer {
  Shape shape;
  int width;                       // cells, rounded up to whole vectors
  Array<R> rows, loop;             // weights by source: (n_source, width), (n, width)
  Array<R> panels, loop_panels;    // the same by target, in panels for products (see products.h)
  Array<R> decay_mem, decay_syn, g_to_v;
};

template <class R> struct Gradients {
  std::vector<Array<R>> rows, loop;
  Array<R> out;
};

template <class R> struct Block {  // some trials side by side; axes (step, trial, cell)
  int m = 0;
  std::vector<Array<R>> v;         // membrane at the threshold, of each layer
  std::vector<std::vector<int32_t>> fired, fired_end;  // of each layer: who spiked, and where the list of (step, trial) ends
  Array<R> out_v, score;           // readout (step, trial, out_width); score (trial, out_width)
};

template <class R> struct Scratch {
  std::vector<Array<R>> v, g, z;   // forward: states. Backward: gradients of v, of g, and of the spikes
  std::vector<Array<int32_t>> ids;
  Array<R> out_v, out_g;
};

template <class R> struct Engine {
  Cell cell;
  Surrogate surrogate;
  Readout readout;
  R slope, out_decay_mem, out_decay_syn, out_g_to_v;
  int n_out, out_width, n_cells, side_by_side, n_groups;
  std::vector<Layer<R>> layers;
  Array<R> out_rows, out_columns;  // weights onto the readout by source (n, out_width) and by class (n_out, width)
  std::vector<Gradients<R>> groups;
  std::vector<Scratch<R>> there, back;  // of each group, kept from batch to batch
  std::vector<Block<R>> own;
  std::vector<Block<R>> kept;  // of the last forward pass that kept its states
};

template <class R>
void forward(const Engine<R>&, const Batch&, int64_t start, int m, Block<R>&, Scratch<R>&, int32_t* counts);
template <class R>
void backward(const Engine<R>&, const Batch&, int64_t start, const Block<R>&, Scratch<R>&, const R* of_scores, const R* of_counts,
              Gradients<R>&, const R* of_outputs = nullptr);  // (trial, step, class), instead of the gradient of the scores

}  // namespace ei
