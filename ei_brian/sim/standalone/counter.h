// Counter-based numbers: Philox-4x32-10, Box-Muller in plain float32. The same bits on every processor, from compilers that neither
// reorder nor fuse arithmetic (-ffp-contract=off, -fmad=false).
#pragma once
#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstring>
#if (defined(__AVX512F__) || defined(__AVX2__)) && !defined(__CUDACC__)
#include <immintrin.h>
#endif

#ifdef __CUDACC__
#define EI_DEVICE __host__ __device__
#else
#define EI_DEVICE
#endif

namespace ei {

constexpr int LANES = 16, BLOCK = 4 * LANES;

// Vectors of 64-bit lanes that each hold a 32-bit word: one multiplication gives the low word in place, one shift the high word.
// The arithmetic is that of whole numbers, so that every form gives the same bits.
#if defined(__AVX512F__) && !defined(__CUDACC__)
struct Lanes {
  static constexpr int WIDTH = 8;
  __m512i v;
  static Lanes all(uint32_t x) { return {_mm512_set1_epi64(x)}; }
  static Lanes from(uint32_t x) { return {_mm512_add_epi64(_mm512_set1_epi64(x), _mm512_set_epi64(7, 6, 5, 4, 3, 2, 1, 0))}; }
  Lanes times(uint32_t x) const { return {_mm512_mul_epu32(v, _mm512_set1_epi64(x))}; }
  Lanes high_xor(Lanes other, uint32_t x) const {
    return {_mm512_xor_si512(_mm512_srli_epi64(v, 32), _mm512_xor_si512(other.v, _mm512_set1_epi64(x)))};
  }
  void put(uint32_t* out) const { _mm256_storeu_si256(reinterpret_cast<__m256i*>(out), _mm512_cvtepi64_epi32(v)); }
};
#elif defined(__AVX2__) && !defined(__CUDACC__)
struct Lanes {
  static constexpr int WIDTH = 4;
  __m256i v;
  static Lanes all(uint32_t x) { return {_mm256_set1_epi64x(x)}; }
  static Lanes from(uint32_t x) { return {_mm256_add_epi64(_mm256_set1_epi64x(x), _mm256_set_epi64x(3, 2, 1, 0))}; }
  Lanes times(uint32_t x) const { return {_mm256_mul_epu32(v, _mm256_set1_epi64x(x))}; }
  Lanes high_xor(Lanes other, uint32_t x) const {
    return {_mm256_xor_si256(_mm256_srli_epi64(v, 32), _mm256_xor_si256(other.v, _mm256_set1_epi64x(x)))};
  }
  void put(uint32_t* out) const {
    const __m256i even = _mm256_permutevar8x32_epi32(v, _mm256_setr_epi32(0, 2, 4, 6, 0, 2, 4, 6));
    _mm_storeu_si128(reinterpret_cast<__m128i*>(out), _mm256_castsi256_si128(even));
  }
};
#else
struct Lanes {
  static constexpr int WIDTH = 1;
  uint64_t v;
  static Lanes all(uint32_t x) { return {x}; }
  static Lanes from(uint32_t x) { return {x}; }
  Lanes times(uint32_t x) const { return {(v & 0xFFFFFFFFu) * x}; }
  Lanes high_xor(Lanes other, uint32_t x) const { return {(v >> 32) ^ other.v ^ x}; }
  void put(uint32_t* out) const { *out = uint32_t(v); }
};
#endif

// N counters side by side: 32 or 64, because compilers unroll shorter loops before they could vectorise them.
template <int N> struct Philox {
  static constexpr int TOGETHER = 4;  // vectors in flight, to hide the latency of the multiplication
  uint32_t a[N], b[N], c[N], d[N];
  void fill(uint32_t first, uint32_t step, uint32_t trial, uint32_t stream, uint32_t k0_, uint32_t k1_) {
    for (int q = 0; q < N; q += TOGETHER * Lanes::WIDTH) {
      Lanes x0[TOGETHER], x1[TOGETHER], x2[TOGETHER], x3[TOGETHER];
      for (int g = 0; g < TOGETHER; g++) {
        x0[g] = Lanes::from(first + q + g * Lanes::WIDTH);
        x1[g] = Lanes::all(step);
        x2[g] = Lanes::all(trial);
        x3[g] = Lanes::all(stream);
      }
      uint32_t k0 = k0_, k1 = k1_;
#pragma GCC unroll 10
      for (int round = 0; round < 10; round++) {
#pragma GCC unroll 4
        for (int g = 0; g < TOGETHER; g++) {
          const Lanes p0 = x0[g].times(0xD2511F53u), p1 = x2[g].times(0xCD9E8D57u);
          x0[g] = p1.high_xor(x1[g], k0);
          x2[g] = p0.high_xor(x3[g], k1);
          x1[g] = p1;
          x3[g] = p0;
        }
        k0 += 0x9E3779B9u; k1 += 0xBB67AE85u;
      }
      for (int g = 0; g < TOGETHER; g++) {
        const int at = q + g * Lanes::WIDTH;
        x0[g].put(a + at); x1[g].put(b + at); x2[g].put(c + at); x3[g].put(d + at);
      }
    }
  }
};

EI_DEVICE inline float log_poly(float x) {  // 0 < x < 1
  uint32_t bits;
  std::memcpy(&bits, &x, 4);
  int e = int(bits >> 23) - 127;
  bits = (bits & 0x7FFFFFu) | 0x3F800000u;
  float m;
  std::memcpy(&m, &bits, 4);
  const int big = m > 1.41421356f;
  m = big ? m * 0.5f : m;
  e += big;
  const float f = m - 1.f, s = f / (2.f + f), z = s * s;
  const float p = z * (0.66666667f + z * (0.4f + z * (0.28571429f + z * 0.22222222f)));
  return float(e) * 0.69314718f + s * (2.f + p);
}

EI_DEVICE inline void sincos_turn(float u, float& sine, float& cosine) {  // of 2 pi u, 0 <= u < 1
  const float k = std::floor(u * 4.f + 0.5f), r = (u - k * 0.25f) * 6.2831853f, z = r * r;
  const int q = int(k) & 3;
  const float s = r * (1.f + z * (-0.16666667f + z * (8.3333333e-3f + z * -1.9841270e-4f)));
  const float c = 1.f + z * (-0.5f + z * (0.041666667f + z * (-1.3888889e-3f + z * 2.4801587e-5f)));
  const float a = (q & 1) ? c : s, b = (q & 1) ? s : c;
  sine = (q & 2) ? -a : a;
  cosine = ((q + 1) & 2) ? -b : b;
}

constexpr float UNIT = 1.f / 16777216.f;

// Unit j is word (j % 64) / 16 of counter (j / 64) * 16 + j % 16: writes the numbers of the N counters from `first` on.
template <int N, class T> inline void spread(const float (&made)[4][N], T* __restrict out, int n, int first) {
  for (int part = 0; part < N / LANES; part++)
    for (int word = 0; word < 4; word++) {
      const int from = 4 * first + part * BLOCK + word * LANES, count = std::min(LANES, n - from);
      const float* values = made[word] + part * LANES;
      if (count == LANES) for (int q = 0; q < LANES; q++) out[from + q] = T(values[q]);
      else for (int q = 0; q < count; q++) out[from + q] = T(values[q]);
    }
}

template <int N, class T> inline void uniforms_by(T* __restrict out, int n, uint32_t step, uint32_t trial, uint32_t stream, uint32_t k0, uint32_t k1) {
  Philox<N> words;
  float made[4][N];
  for (int first = 0; first * 4 < n; first += N) {
    words.fill(uint32_t(first), step, trial, stream, k0, k1);
    for (int q = 0; q < N; q++) {
      made[0][q] = (float(int(words.a[q] >> 8)) + 0.5f) * UNIT;
      made[1][q] = (float(int(words.b[q] >> 8)) + 0.5f) * UNIT;
      made[2][q] = (float(int(words.c[q] >> 8)) + 0.5f) * UNIT;
      made[3][q] = (float(int(words.d[q] >> 8)) + 0.5f) * UNIT;
    }
    spread<N>(made, out, n, first);
  }
}

template <int N, class T> inline void normals_by(T* __restrict out, int n, uint32_t step, uint32_t trial, uint32_t stream, uint32_t k0, uint32_t k1) {
  Philox<N> words;
  float made[4][N];
  for (int first = 0; first * 4 < n; first += N) {
    words.fill(uint32_t(first), step, trial, stream, k0, k1);
    for (int q = 0; q < N; q++) {
      const float u1 = (float(int(words.a[q] >> 8)) + 0.5f) * UNIT, u2 = float(int(words.b[q] >> 8)) * UNIT;
      const float u3 = (float(int(words.c[q] >> 8)) + 0.5f) * UNIT, u4 = float(int(words.d[q] >> 8)) * UNIT;
      const float r1 = std::sqrt(-2.f * log_poly(u1)), r2 = std::sqrt(-2.f * log_poly(u3));
      float s1, c1, s2, c2;
      sincos_turn(u2, s1, c1);
      sincos_turn(u4, s2, c2);
      made[0][q] = r1 * c1; made[1][q] = r1 * s1; made[2][q] = r2 * c2; made[3][q] = r2 * s2;
    }
    spread<N>(made, out, n, first);
  }
}

template <class T> inline void uniforms(T* __restrict out, int n, uint32_t step, uint32_t trial, uint32_t stream, uint32_t k0, uint32_t k1) {
  if (n > 2 * BLOCK) uniforms_by<64>(out, n, step, trial, stream, k0, k1);
  else uniforms_by<32>(out, n, step, trial, stream, k0, k1);
}

template <class T> inline void normals(T* __restrict out, int n, uint32_t step, uint32_t trial, uint32_t stream, uint32_t k0, uint32_t k1) {
  if (n > 2 * BLOCK) normals_by<64>(out, n, step, trial, stream, k0, k1);
  else normals_by<32>(out, n, step, trial, stream, k0, k1);
}

// the same numbers one by one, for devices where each thread needs its own
struct Words { uint32_t a, b, c, d; };

EI_DEVICE inline Words philox(uint32_t a, uint32_t b, uint32_t c, uint32_t d, uint32_t k0, uint32_t k1) {
  for (int round = 0; round < 10; round++) {
    const uint64_t p0 = uint64_t(0xD2511F53u) * a, p1 = uint64_t(0xCD9E8D57u) * c;
    const uint32_t n0 = uint32_t(p1 >> 32) ^ b ^ k0, n2 = uint32_t(p0 >> 32) ^ d ^ k1;
    b = uint32_t(p1); d = uint32_t(p0); a = n0; c = n2;
    k0 += 0x9E3779B9u; k1 += 0xBB67AE85u;
  }
  return Words{a, b, c, d};
}

EI_DEVICE inline uint32_t lane_of(int unit) { return uint32_t(unit / BLOCK * LANES + unit % LANES); }  // first word of the counter
EI_DEVICE inline int word_of(int unit) { return unit % BLOCK / LANES; }

EI_DEVICE inline float uniform_from(uint32_t word) { return (float(int(word >> 8)) + 0.5f) * UNIT; }

EI_DEVICE inline void normals_from(uint32_t first, uint32_t second, float& with_cosine, float& with_sine) {
  const float r = std::sqrt(-2.f * log_poly(uniform_from(first)));
  float sine, cosine;
  sincos_turn(float(int(second >> 8)) * UNIT, sine, cosine);
  with_cosine = r * cosine;
  with_sine = r * sine;
}

EI_DEVICE inline float uniform_of(int unit, uint32_t step, uint32_t trial, uint32_t stream, uint32_t k0, uint32_t k1) {
  const Words words = philox(lane_of(unit), step, trial, stream, k0, k1);
  const int word = word_of(unit);
  return uniform_from(word == 0 ? words.a : word == 1 ? words.b : word == 2 ? words.c : words.d);
}

EI_DEVICE inline float normal_of(int unit, uint32_t step, uint32_t trial, uint32_t stream, uint32_t k0, uint32_t k1) {
  const Words words = philox(lane_of(unit), step, trial, stream, k0, k1);
  const int word = word_of(unit);
  float with_cosine, with_sine;
  if (word < 2) normals_from(words.a, words.b, with_cosine, with_sine);
  else normals_from(words.c, words.d, with_cosine, with_sine);
  return word % 2 == 0 ? with_cosine : with_sine;
}

}  // namespace ei
