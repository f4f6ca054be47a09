#pragma once
#include <curand.h>
struct curandState {};
inline void curand_init(unsigned long long, unsigned long long, unsigned long long, curandState*) {}
inline float curand_uniform(curandState*) { cpu_device::stop("a random number of cuRAND"); }
inline double curand_uniform_double(curandState*) { cpu_device::stop("a random number of cuRAND"); }
inline float curand_normal(curandState*) { cpu_device::stop("a random number of cuRAND"); }
inline double curand_normal_double(curandState*) { cpu_device::stop("a random number of cuRAND"); }
inline unsigned curand_poisson(curandState*, double) { cpu_device::stop("a random number of cuRAND"); }
