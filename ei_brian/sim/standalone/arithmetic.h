// What must hold of the compiler and of the processor's state for the bits of the reference.
#pragma once
#include <cstdint>
#include <cstring>
#include "data_file.h"

#if defined(__FAST_MATH__) || (defined(__FINITE_MATH_ONLY__) && __FINITE_MATH_ONLY__ > 0)
#error "ei_brian: the compiler is set to -ffast-math or -ffinite-math-only, under which results are not those of the reference"
#endif
#if defined(__ASSOCIATIVE_MATH__) || defined(__RECIPROCAL_MATH__) || defined(__NO_SIGNED_ZEROS__)
#error "ei_brian: the compiler is set to reorder or approximate arithmetic: results would not be those of the reference"
#endif
#if defined(__FLT_EVAL_METHOD__) && (__FLT_EVAL_METHOD__ == 1 || __FLT_EVAL_METHOD__ == 2)
#error "ei_brian: the compiler computes in another precision than is asked for (x87): results would not be those of the reference"
#endif

namespace ei {

// by bits: a compiler that takes NaN for impossible cannot take the question away
inline bool is_finite(double x) {
  uint64_t bits;
  std::memcpy(&bits, &x, 8);
  return (bits & 0x7FF0000000000000u) != 0x7FF0000000000000u;
}
inline bool is_finite(float x) {
  uint32_t bits;
  std::memcpy(&bits, &x, 4);
  return (bits & 0x7F800000u) != 0x7F800000u;
}

template <class T> inline void check_arithmetic_of(T tiny, T epsilon) {  // the smallest number; half the distance from 1 to the next
  volatile T given_tiny = tiny, given_one = 1, given_epsilon = epsilon, given_x = 1 + 64 * epsilon;
  const T one = given_one, small = given_epsilon / 4, x = given_x;
  volatile T kept = given_tiny * one;
  if (std::memcmp(const_cast<T*>(&kept), &tiny, sizeof(T)) != 0) fail(3, "this processor sets the smallest numbers to zero");
  volatile T up = one + small, down = -one - small, in = one - small / 2;
  if (up != one || down != -one || in != one) fail(3, "this processor does not round to the nearest number");
  volatile T product = x * x;
  const T square = product, same = given_x, rest = same * same - square;  // read once more, so that the product is formed again
  if (rest != 0) fail(3, "the compiler has fused a product and a sum");
}
inline void check_arithmetic() {
  check_arithmetic_of<double>(4.9406564584124654e-324, 1.1102230246251565e-16);
  check_arithmetic_of<float>(1.4012984643e-45f, 5.9604644775e-08f);
}

}  // namespace ei
