// What Python calls: an engine of some layers, its weights, and passes over a batch by several threads.
//
// Trials are divided into blocks and blocks into groups by the sizes of network and batch alone. Every group adds up its own
// gradients in the order of its trials, and the groups are added in their order: the number of threads changes no bit.
#include "engine.h"
#include "products.h"

#include <atomic>
#include <cmath>
#include <thread>

namespace ei {

constexpr int MOST_GROUPS = 8;
constexpr size_t MOST_GRADIENT_BYTES = size_t(160) << 20;

template <class R> static int padded(int n) { return (n + LANES<R> - 1) / LANES<R> * LANES<R>; }

// Calls work(k) for 0 <= k < n from some threads.
template <class Work> static void spread(int64_t n, int n_threads, const Work& work) {
  std::atomic<int64_t> next{0};
  const auto loop = [&] {
    for (int64_t k; (k = next.fetch_add(1)) < n;) work(k);
  };
  std::vector<std::thread> others;
  for (int i = 1; i < n_threads && i < n; i++) others.emplace_back(loop);
  loop();
  for (std::thread& other : others) other.join();
}

template <class R> static void rows_by_source(const R* weights, int n_target, int n_source, int width, R* rows) {
  std::memset(static_cast<void*>(rows), 0, size_t(n_source) * width * sizeof(R));
  for (int first = 0; first < n_source; first += 16)
    for (int j = 0; j < n_target; j++)
      for (int k = first; k < n_source && k < first + 16; k++) rows[size_t(k) * width + j] = weights[size_t(j) * n_source + k];
}

template <class R> static size_t gradient_bytes(const Engine<R>& e) {
  size_t n = size_t(e.layers.back().shape.n) * e.out_width;
  for (const Layer<R>& layer : e.layers)
    n += size_t(layer.width) * (layer.shape.n_source + (layer.shape.recurrent ? layer.shape.n : 0));
  return n * sizeof(R);
}

template <class R> static void layout(Engine<R>& e) {
  int largest = 0;
  for (const Layer<R>& layer : e.layers)
    if (layer.shape.recurrent || e.layers.size() > 1) largest = largest > layer.shape.n ? largest : layer.shape.n;
  e.side_by_side = largest == 0 ? 1 : largest <= 384 ? 8 : largest <= 1536 ? 16 : 32;
  const size_t fit = MOST_GRADIENT_BYTES / gradient_bytes(e);
  e.n_groups = fit < 1 ? 1 : fit < MOST_GROUPS ? int(fit) : MOST_GROUPS;
  e.groups.resize(e.n_groups), e.there.resize(e.n_groups), e.back.resize(e.n_groups), e.own.resize(e.n_groups);
}

template <class R>
static Engine<R>* make(int cell, int surrogate, int readout, double slope, int n_layers, const Shape* shapes, int n_out,
                       const double* out_coefficients) {
  auto* e = new Engine<R>;
  e->cell = Cell(cell), e->surrogate = Surrogate(surrogate), e->readout = Readout(readout), e->slope = R(slope);
  e->out_decay_mem = R(out_coefficients[0]), e->out_decay_syn = R(out_coefficients[1]), e->out_g_to_v = R(out_coefficients[2]);
  e->n_out = n_out, e->out_width = padded<R>(n_out), e->n_cells = 0;
  e->layers.resize(n_layers);
  for (int l = 0; l < n_layers; l++) {
    e->layers[l].shape = shapes[l], e->layers[l].width = padded<R>(shapes[l].n);
    e->n_cells += shapes[l].n;
  }
  layout(*e);
  return e;
}

// Coefficients (layer by layer: decay_mem, decay_syn, g_to_v) and weights (layer by layer: from the source, loop; then the readout).
template <class R> static void load(Engine<R>& e, const R* const* coefficients, const R* const* weights) {
  for (Layer<R>& layer : e.layers) {
    const Shape& n = layer.shape;
    for (Array<R>* to : {&layer.decay_mem, &layer.decay_syn, &layer.g_to_v})
      std::memcpy(to->zeros(layer.width), *coefficients++, n.n * sizeof(R));
    const R* w = *weights++;
    rows_by_source(w, n.n, n.n_source, layer.width, layer.rows.need(size_t(n.n_source) * layer.width));
    if (&layer != &e.layers.front()) to_panels(w, n.n, n.n_source, layer.panels.need(panels_size<R>(n.n, n.n_source)));
    if (!n.recurrent) continue;
    w = *weights++;
    rows_by_source(w, n.n, n.n, layer.width, layer.loop.need(size_t(n.n) * layer.width));
    to_panels(w, n.n, n.n, layer.loop_panels.need(panels_size<R>(n.n, n.n)));
  }
  const Layer<R>& last = e.layers.back();
  const R* w = *weights;
  rows_by_source(w, e.n_out, last.shape.n, e.out_width, e.out_rows.need(size_t(last.shape.n) * e.out_width));
  R* columns = e.out_columns.zeros(size_t(e.n_out) * last.width);
  for (int c = 0; c < e.n_out; c++) std::memcpy(columns + size_t(c) * last.width, w + size_t(c) * last.shape.n, last.shape.n * sizeof(R));
}

template <class R> static void clear(const Engine<R>& e, Gradients<R>& sums) {
  sums.rows.resize(e.layers.size()), sums.loop.resize(e.layers.size());
  for (size_t l = 0; l < e.layers.size(); l++) {
    const Layer<R>& layer = e.layers[l];
    sums.rows[l].zeros(size_t(layer.shape.n_source) * layer.width);
    if (layer.shape.recurrent) sums.loop[l].zeros(size_t(layer.shape.n) * layer.width);
  }
  sums.out.zeros(size_t(e.layers.back().shape.n) * e.out_width);
}

// Adds the groups' sums up in their order and writes them by target: (n_target, n_source).
template <class R, class Of>
static void gather(const Engine<R>& e, int n_groups, int n_target, int n_source, int width, int n_threads, R* to, const Of& of) {
  spread((n_source + 15) / 16, n_threads, [&](int64_t part) {
    Array<R> sum;
    const int first = int(part) * 16, last = first + 16 < n_source ? first + 16 : n_source;
    const size_t size = size_t(last - first) * width;
    R* total = sum.need(size);
    std::memcpy(total, of(e.groups[0]) + size_t(first) * width, size * sizeof(R));
    for (int group = 1; group < n_groups; group++) {
      const R* next = of(e.groups[group]) + size_t(first) * width;
      for (size_t i = 0; i < size; i++) total[i] += next[i];
    }
    for (int j = 0; j < n_target; j++)
      for (int k = first; k < last; k++) to[size_t(j) * n_source + k] = total[size_t(k - first) * width + j];
  });
}

template <class R> static void gather_all(const Engine<R>& e, int n_groups, int n_threads, R* const* gradients) {
  for (size_t l = 0; l < e.layers.size(); l++) {
    const Layer<R>& layer = e.layers[l];
    gather(e, n_groups, layer.shape.n, layer.shape.n_source, layer.width, n_threads, *gradients++,
           [l](const Gradients<R>& g) { return g.rows[l].get(); });
    if (layer.shape.recurrent)
      gather(e, n_groups, layer.shape.n, layer.shape.n, layer.width, n_threads, *gradients++,
             [l](const Gradients<R>& g) { return g.loop[l].get(); });
  }
  gather(e, n_groups, e.n_out, e.layers.back().shape.n, e.out_width, n_threads, *gradients, [](const Gradients<R>& g) { return g.out.get(); });
}

template <class R> static void scores_out(const Engine<R>& e, const Block<R>& block, int64_t start, R* scores) {
  for (int i = 0; i < block.m; i++)
    std::memcpy(scores + (start + i) * e.n_out, block.score.get() + size_t(i) * e.out_width, e.n_out * sizeof(R));
}

// What the scores shall be: the class of each trial, by cross-entropy of softmax(scale * scores), and the scores of a teacher,
// (trial, class) or null, by pull * (score - wanted)**2. The loss is the mean over the batch.
template <class R> struct Goal {
  const int64_t* labels;
  double scale;
  const R* wanted;
  double pull;
};

// The gradient of the loss for the scores of one trial.
template <class R> static void of_goal(const Goal<R>& goal, const R* scores, int n, int64_t trial, int label, double weight, R* to) {
  const R* wanted = goal.wanted ? goal.wanted + trial * n : nullptr;
  const double scale = goal.scale;
  double top = scores[0], sum = 0;
  for (int c = 1; c < n; c++) top = scores[c] > top ? scores[c] : top;
  for (int c = 0; c < n; c++) sum += std::exp(scale * (scores[c] - top));
  for (int c = 0; c < n; c++) {
    double of_score = weight * scale * (std::exp(scale * (scores[c] - top)) / sum - (c == label));
    if (wanted) of_score += weight * goal.pull * 2 * (double(scores[c]) - double(wanted[c]));
    to[c] = R(of_score);
  }
}

// The same for all trials of a block.
template <class R>
static void of_block(const Engine<R>& e, const Batch& batch, const Goal<R>& goal, int64_t start, const Block<R>& block, R* of_scores) {
  std::vector<R> scores(e.n_out);
  for (int64_t i = start; i < start + block.m; i++) {
    std::memcpy(scores.data(), block.score.get() + size_t(i - start) * e.out_width, e.n_out * sizeof(R));
    of_goal(goal, scores.data(), e.n_out, i, int(goal.labels[batch.trials[i]]), 1.0 / double(batch.n_trials), of_scores + i * e.n_out);
  }
}

template <class R> struct Plan {
  int64_t n_blocks;
  int n_groups, m;
  Plan(const Engine<R>& e, int64_t n_trials) : m(e.side_by_side) {
    n_blocks = (n_trials + m - 1) / m;
    n_groups = n_blocks < e.n_groups ? int(n_blocks) : e.n_groups;
  }
  int64_t first_block(int group) const { return n_blocks * group / n_groups; }
  int size(int64_t block, int64_t n_trials) const { return int(n_trials - block * m < m ? n_trials - block * m : m); }
};

template <class R> static void run_forward(Engine<R>& e, const Batch& batch, int keep, int n_threads, R* scores, int32_t* counts) {
  const Plan<R> plan(e, batch.n_trials);
  if (keep && e.kept.size() < size_t(plan.n_blocks)) e.kept.resize(plan.n_blocks);
  spread(plan.n_groups, n_threads, [&](int64_t group) {
    Scratch<R>& scratch = e.there[group];
    for (int64_t b = plan.first_block(int(group)); b < plan.first_block(int(group) + 1); b++) {
      Block<R>& block = keep ? e.kept[b] : e.own[group];
      forward(e, batch, b * plan.m, plan.size(b, batch.n_trials), block, scratch, counts);
      scores_out(e, block, b * plan.m, scores);
    }
  });
}

// The gradients of the spike counts (cell), each layer on vector boundaries; empty for null.
template <class R> static Array<R> with_gaps(const Engine<R>& e, const R* of_counts) {
  Array<R> spaced;
  if (!of_counts) return spaced;
  size_t size = 0;
  for (const Layer<R>& layer : e.layers) size += layer.width;
  R* to = spaced.zeros(size);
  for (const Layer<R>& layer : e.layers) {
    std::memcpy(to, of_counts, layer.shape.n * sizeof(R));
    to += layer.width, of_counts += layer.shape.n;
  }
  return spaced;
}

// Gradients of the weights from those of the scores (trial, class) or outputs (trial, step, class), or by a goal, and of the batch's spike counts (cell), which
// may be null; of the last forward pass that kept its states.
template <class R>
static void run_backward(Engine<R>& e, const Batch& batch, const R* of_scores, const R* of_outputs, const Goal<R>* goal,
                         const R* of_counts, int n_threads, R* const* gradients) {
  const Plan<R> plan(e, batch.n_trials);
  const Array<R> spaced = with_gaps(e, of_counts);
  std::vector<R> own(goal ? size_t(batch.n_trials) * e.n_out : 0);
  spread(plan.n_groups, n_threads, [&](int64_t group) {
    Scratch<R>& scratch = e.back[group];
    clear(e, e.groups[group]);
    for (int64_t b = plan.first_block(int(group)); b < plan.first_block(int(group) + 1); b++) {
      if (goal) of_block(e, batch, *goal, b * plan.m, e.kept[b], own.data());
      backward<R>(e, batch, b * plan.m, e.kept[b], scratch, goal ? own.data() : of_scores, spaced.get(), e.groups[group], of_outputs);
    }
  });
  gather_all(e, plan.n_groups, n_threads, gradients);
}

// Both passes, block by block, for a goal and a given gradient of the counts: the states of a block never leave the cache.
template <class R>
static void run_both(Engine<R>& e, const Batch& batch, const Goal<R>& goal, const R* of_counts, int n_threads, R* scores,
                     int32_t* counts, R* const* gradients) {
  const Plan<R> plan(e, batch.n_trials);
  const Array<R> spaced = with_gaps(e, of_counts);
  std::vector<R> of_scores(size_t(batch.n_trials) * e.n_out);
  spread(plan.n_groups, n_threads, [&](int64_t group) {
    Scratch<R>&there = e.there[group], &back = e.back[group];
    Block<R>& block = e.own[group];
    clear(e, e.groups[group]);
    for (int64_t b = plan.first_block(int(group)); b < plan.first_block(int(group) + 1); b++) {
      const int64_t start = b * plan.m;
      forward(e, batch, start, plan.size(b, batch.n_trials), block, there, counts);
      scores_out(e, block, start, scores);
      of_block(e, batch, goal, start, block, of_scores.data());
      backward<R>(e, batch, start, block, back, of_scores.data(), spaced.get(), e.groups[group]);
    }
  });
  gather_all(e, plan.n_groups, n_threads, gradients);
}

// Spikes of a layer in the last forward pass that kept its states: one byte each, (trial, step, cell).
template <class R> static void spikes_of(const Engine<R>& e, int layer, int64_t n_trials, int n_steps, uint8_t* to) {
  const Plan<R> plan(e, n_trials);
  const int n = e.layers[layer].shape.n, width = e.layers[layer].width;
  for (int64_t i = 0; i < n_trials; i++) {
    const Block<R>& block = e.kept[i / plan.m];
    for (int t = 0; t < n_steps; t++) {
      const R* v = block.v[layer].get() + (size_t(t) * block.m + i % plan.m) * width;
      for (int j = 0; j < n; j++) *to++ = v[j] > R(1);
    }
  }
}

// The readout's v in the last forward pass that kept its states, (trial, step, class).
template <class R> static void outputs_of(const Engine<R>& e, int64_t n_trials, int n_steps, R* to) {
  const Plan<R> plan(e, n_trials);
  for (int64_t i = 0; i < n_trials; i++) {
    const Block<R>& block = e.kept[i / plan.m];
    for (int t = 0; t < n_steps; t++, to += e.n_out)
      std::memcpy(to, block.out_v.get() + (size_t(t) * block.m + i % plan.m) * e.out_width, e.n_out * sizeof(R));
  }
}

}  // namespace ei

#define EI_EXPORT(NAME, R)                                                                                                            \
  extern "C" void* ei_make_##NAME(int cell, int surrogate, int readout, double slope, int n_layers, const ei::Shape* shapes,         \
                                  int n_out, const double* out_coefficients) {                                                       \
    return ei::make<R>(cell, surrogate, readout, slope, n_layers, shapes, n_out, out_coefficients);                                  \
  }                                                                                                                                   \
  extern "C" void ei_free_##NAME(void* e) { delete static_cast<ei::Engine<R>*>(e); }                                                  \
  extern "C" void ei_load_##NAME(void* e, const R* const* coefficients, const R* const* weights) {                                    \
    ei::load(*static_cast<ei::Engine<R>*>(e), coefficients, weights);                                                                \
  }                                                                                                                                   \
  extern "C" void ei_forward_##NAME(void* e, const ei::Batch* batch, int keep, int n_threads, R* scores, int32_t* counts) {          \
    ei::run_forward(*static_cast<ei::Engine<R>*>(e), *batch, keep, n_threads, scores, counts);                                       \
  }                                                                                                                                   \
  extern "C" void ei_backward_##NAME(void* e, const ei::Batch* batch, const R* of_scores, const R* of_outputs,                        \
                                     const R* of_counts, int n_threads, R* const* gradients) {                                        \
    ei::run_backward<R>(*static_cast<ei::Engine<R>*>(e), *batch, of_scores, of_outputs, nullptr, of_counts, n_threads, gradients);    \
  }                                                                                                                                   \
  extern "C" void ei_back_from_goal_##NAME(void* e, const ei::Batch* batch, const int64_t* labels, double scale, const R* wanted,     \
                                           double pull, const R* of_counts, int n_threads, R* const* gradients) {                     \
    const ei::Goal<R> goal{labels, scale, wanted, pull};                                                                              \
    ei::run_backward<R>(*static_cast<ei::Engine<R>*>(e), *batch, nullptr, nullptr, &goal, of_counts, n_threads, gradients);                    \
  }                                                                                                                                   \
  extern "C" void ei_both_##NAME(void* e, const ei::Batch* batch, const int64_t* labels, double scale, const R* wanted,               \
                                 double pull, const R* of_counts, int n_threads, R* const* gradients, R* scores, int32_t* counts) {   \
    const ei::Goal<R> goal{labels, scale, wanted, pull};                                                                              \
    ei::run_both(*static_cast<ei::Engine<R>*>(e), *batch, goal, of_counts, n_threads, scores, counts, gradients);                     \
  }                                                                                                                                   \
  extern "C" void ei_spikes_##NAME(void* e, int layer, int64_t n_trials, int n_steps, uint8_t* to) {                                 \
    ei::spikes_of(*static_cast<ei::Engine<R>*>(e), layer, n_trials, n_steps, to);                                                    \
  }                                                                                                                                   \
  extern "C" void ei_outputs_##NAME(void* e, int64_t n_trials, int n_steps, R* to) {                                                 \
    ei::outputs_of(*static_cast<ei::Engine<R>*>(e), n_trials, n_steps, to);                                                          \
  }

EI_EXPORT(float32, float)
EI_EXPORT(float64, double)
