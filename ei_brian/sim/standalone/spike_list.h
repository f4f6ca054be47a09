// From one byte for each neuron, 0 or 1, to the ascending list of those that are 1.
#pragma once
#include <cstdint>
#include <cstring>
#ifdef __AVX512F__
#include <immintrin.h>
#endif

namespace ei {

// `flags` has room for n rounded up to 8, zero behind n; `list` has room for n. Returns the length of the list.
inline int32_t listed(const char* __restrict flags, int n, int32_t* __restrict list) {
  int32_t count = 0;
  int at = 0;
#ifdef __AVX512F__  // sixteen at a time and without a branch, which could not be predicted; count <= at, so that all 16 places are there
  const __m512i sixteen = _mm512_set1_epi32(16);
  __m512i numbers = _mm512_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
  for (; at + 16 <= n; at += 16) {
    const __m512i wide = _mm512_cvtepi8_epi32(_mm_loadu_si128(reinterpret_cast<const __m128i*>(flags + at)));
    const __mmask16 set = _mm512_test_epi32_mask(wide, wide);
    _mm512_storeu_si512(list + count, _mm512_maskz_compress_epi32(set, numbers));
    count += __builtin_popcount(set);
    numbers = _mm512_add_epi32(numbers, sixteen);
  }
#endif
  for (; at < n; at += 8) {
    uint64_t eight;
    std::memcpy(&eight, flags + at, 8);
    while (eight) {
      const int byte = __builtin_ctzll(eight) >> 3;
      list[count++] = at + byte;
      eight &= ~(uint64_t(0xff) << (byte << 3));
    }
  }
  return count;
}

}  // namespace ei
