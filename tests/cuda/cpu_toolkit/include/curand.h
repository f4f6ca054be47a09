// Brian2CUDA makes a generator whether it is used or not; ours are counters, so that a number asked of this one is a fault.
#pragma once
#define CURAND_H_
#include <cuda_runtime.h>
enum curandStatus_t {
  CURAND_STATUS_SUCCESS, CURAND_STATUS_VERSION_MISMATCH, CURAND_STATUS_NOT_INITIALIZED, CURAND_STATUS_ALLOCATION_FAILED,
  CURAND_STATUS_TYPE_ERROR, CURAND_STATUS_OUT_OF_RANGE, CURAND_STATUS_LENGTH_NOT_MULTIPLE, CURAND_STATUS_DOUBLE_PRECISION_REQUIRED,
  CURAND_STATUS_LAUNCH_FAILURE, CURAND_STATUS_PREEXISTING_FAILURE, CURAND_STATUS_INITIALIZATION_FAILED, CURAND_STATUS_ARCH_MISMATCH,
  CURAND_STATUS_INTERNAL_ERROR
};
enum curandRngType_t { CURAND_RNG_PSEUDO_DEFAULT };
typedef void* curandGenerator_t;
inline curandStatus_t curandCreateGenerator(curandGenerator_t*, curandRngType_t) { return CURAND_STATUS_SUCCESS; }
inline curandStatus_t curandDestroyGenerator(curandGenerator_t) { return CURAND_STATUS_SUCCESS; }
inline curandStatus_t curandSetPseudoRandomGeneratorSeed(curandGenerator_t, unsigned long long) { return CURAND_STATUS_SUCCESS; }
inline curandStatus_t curandSetGeneratorOffset(curandGenerator_t, unsigned long long) { return CURAND_STATUS_SUCCESS; }
namespace cpu_device { [[noreturn]] inline curandStatus_t asked() { stop("a random number of cuRAND"); } }
template <class T> curandStatus_t curandGenerateUniform(curandGenerator_t, T*, size_t) { return cpu_device::asked(); }
template <class T> curandStatus_t curandGenerateUniformDouble(curandGenerator_t, T*, size_t) { return cpu_device::asked(); }
template <class T> curandStatus_t curandGenerateNormal(curandGenerator_t, T*, size_t, double, double) { return cpu_device::asked(); }
template <class T> curandStatus_t curandGenerateNormalDouble(curandGenerator_t, T*, size_t, double, double) { return cpu_device::asked(); }
template <class T> curandStatus_t curandGeneratePoisson(curandGenerator_t, T*, size_t, double) { return cpu_device::asked(); }
