// The paper's network (feed-forward, SpyTorch's cell) trained event by event: an implementation of its own, independent of the
// package's engine, for this one network. Rows of cells and classes are padded to HIDDEN_PAD and CLASS_PAD.
#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstring>

constexpr int T_MAX = 128;

struct alignas(64) Trial {  // the states of one trial, step by step
  float drive[T_MAX][HIDDEN_PAD], v[T_MAX][HIDDEN_PAD], spike[T_MAX][HIDDEN_PAD], out[T_MAX + 1][CLASS_PAD];
  float score[CLASS_PAD];
  int peak[CLASS_PAD], n_fired[T_MAX], fired[T_MAX][HIDDEN_PAD];
};
static thread_local Trial trial;

struct Events { const int64_t* first; const int32_t* step; const int32_t* unit; };
struct Shape { int hidden, classes, steps, mean; float alpha, beta, slope; };

// Returns the number of hidden spikes. Step t: spike where v > 1; v = (beta*v + g)*(1 - spike); g = alpha*g + input.
static int forward(const float* w1, const float* w2, Events events, int64_t k, Shape s) {
  Trial& x = trial;
  std::memset(x.drive, 0, sizeof(float) * s.steps * HIDDEN_PAD);
  for (int64_t e = events.first[k]; e < events.first[k + 1]; e++) {
    const float* __restrict row = w1 + size_t(events.unit[e]) * HIDDEN_PAD;
    float* __restrict to = x.drive[events.step[e]];
    for (int j = 0; j < HIDDEN_PAD; j++) to[j] += row[j];
  }
  alignas(64) float g[HIDDEN_PAD] = {}, v[HIDDEN_PAD] = {};
  float filtered[CLASS_PAD] = {}, out[CLASS_PAD] = {};
  std::memset(x.out[0], 0, sizeof x.out[0]);
  int total = 0;
  for (int t = 0; t < s.steps; t++) {
    const float* __restrict arrived = x.drive[t];
    float any = 0;
    for (int j = 0; j < HIDDEN_PAD; j++) {
      const float z = v[j] > 1.f ? 1.f : 0.f;
      x.v[t][j] = v[j]; x.spike[t][j] = z; any += z;
      v[j] = (s.beta * v[j] + g[j]) * (1.f - z);
      g[j] = s.alpha * g[j] + arrived[j];
    }
    int n = 0;
    if (any > 0) for (int j = 0; j < HIDDEN_PAD; j++) { x.fired[t][n] = j; n += x.spike[t][j] > 0; }
    x.n_fired[t] = n; total += n;
    for (int c = 0; c < CLASS_PAD; c++) { out[c] = s.beta * out[c] + filtered[c]; filtered[c] *= s.alpha; x.out[t + 1][c] = out[c]; }
    for (int q = 0; q < n; q++) {
      const float* row = w2 + size_t(x.fired[t][q]) * CLASS_PAD;
      for (int c = 0; c < CLASS_PAD; c++) filtered[c] += row[c];
    }
  }
  for (int c = 0; c < s.classes; c++) {
    float best = x.out[0][c], sum = 0;
    int at = 0;
    for (int t = 1; t <= s.steps; t++) {
      sum += x.out[t][c];
      if (x.out[t][c] > best) { best = x.out[t][c]; at = t; }
    }
    x.score[c] = s.mean ? sum / s.steps : best;
    x.peak[c] = s.mean ? s.steps : at;
  }
  return total;
}

// Adds the gradients of one trial; `of_score` is that of its scores. Nothing after the latest peak has a gradient.
static void backward(const float* w2_by_class, Events events, int64_t k, Shape s, const float* of_score, int last, float* g1, float* g2) {
  Trial& x = trial;
  alignas(64) float of_v[HIDDEN_PAD] = {}, of_g[HIDDEN_PAD] = {}, of_spike[HIDDEN_PAD];
  float of_out[CLASS_PAD] = {}, of_filtered[CLASS_PAD] = {}, of_sent[CLASS_PAD];
  for (int t = last - 1; t >= 0; t--) {
    for (int c = 0; c < CLASS_PAD; c++) {
      const float here = s.mean ? of_score[c] / s.steps : c < s.classes && x.peak[c] == t + 1 ? of_score[c] : 0.f;
      const float l = of_out[c] + here;
      of_sent[c] = of_filtered[c]; of_filtered[c] = s.alpha * of_filtered[c] + l; of_out[c] = s.beta * l;
    }
    for (int j = 0; j < HIDDEN_PAD; j++) of_spike[j] = 0;
    for (int c = 0; c < s.classes; c++) {
      const float* __restrict row = w2_by_class + size_t(c) * HIDDEN_PAD;
      for (int j = 0; j < HIDDEN_PAD; j++) of_spike[j] += row[j] * of_sent[c];
    }
    for (int q = 0; q < x.n_fired[t]; q++) {
      float* row = g2 + size_t(x.fired[t][q]) * CLASS_PAD;
      for (int c = 0; c < CLASS_PAD; c++) row[c] += of_sent[c];
    }
    float* __restrict of_drive = x.drive[t];
    for (int j = 0; j < HIDDEN_PAD; j++) {
      const float next_v = of_v[j], next_g = of_g[j], keep = 1.f - x.spike[t][j];
      const float wide = s.slope * std::fabs(x.v[t][j] - 1.f) + 1.f;
      of_drive[j] = next_g;
      of_v[j] = next_v * s.beta * keep + of_spike[j] / (wide * wide);
      of_g[j] = s.alpha * next_g + next_v * keep;
    }
  }
  for (int64_t e = events.first[k]; e < events.first[k + 1]; e++) {
    if (events.step[e] >= last) continue;
    float* __restrict row = g1 + size_t(events.unit[e]) * HIDDEN_PAD;
    const float* __restrict from = x.drive[events.step[e]];
    for (int j = 0; j < HIDDEN_PAD; j++) row[j] += from[j];
  }
}

// Sums loss, right answers, spikes and scores of 0 over some trials, and adds the gradients of the mean loss.
extern "C" void gradients(const float* w1, const float* w2, const float* w2_by_class, Events events, const int64_t* label,
                          const int64_t* index, int n, Shape s, float* g1, float* g2, double* sums) {
  Trial& x = trial;
  for (int b = 0; b < n; b++) {
    const int64_t k = index[b];
    sums[2] += forward(w1, w2, events, k, s);
    const float* best = std::max_element(x.score, x.score + s.classes);
    float total = 0, chance[CLASS_PAD], of_score[CLASS_PAD] = {};
    for (int c = 0; c < s.classes; c++) total += chance[c] = std::exp(x.score[c] - *best);
    sums[0] += std::log(total) + *best - x.score[label[k]];
    sums[1] += best - x.score == label[k];
    for (int c = 0; c < s.classes; c++) of_score[c] = (chance[c] / total - (c == label[k])) / n;
    for (int c = 0; c < s.classes; c++) sums[3] += x.score[c] == 0;
    const int last = *std::max_element(x.peak, x.peak + s.classes);
    if (last > 0) backward(w2_by_class, events, k, s, of_score, last, g1, g2);
  }
}

extern "C" void activity(const float* w1, const float* w2, Events events, const int64_t* index, int64_t n, Shape s, float* score,
                         int32_t* count, uint8_t* raster) {
  Trial& x = trial;
  for (int64_t b = 0; b < n; b++) {
    forward(w1, w2, events, index[b], s);
    for (int c = 0; c < s.classes; c++) score[b * s.classes + c] = x.score[c];
    for (int t = 0; t < s.steps; t++)
      for (int q = 0; q < x.n_fired[t]; q++) {
        count[b * s.hidden + x.fired[t][q]]++;
        if (raster) raster[(size_t(b) * s.steps + t) * s.hidden + x.fired[t][q]] = 1;
      }
  }
}
