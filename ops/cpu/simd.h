// Vec<T>: as many T as one vector register holds, and the seven things the product kernels do with
// it. AVX-512 and AVX2 are spelled out; elsewhere the compiler's own vectors are used.
#pragma once

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <utility>

#ifdef __AVX__
#include <immintrin.h>
#endif

namespace mini::cpu::MINI_ISA {

// The sum of a native vector's lanes: the upper half is added to the lower until two are left.
template <class T, class Native>
T add_lanes(Native v) {
  constexpr std::size_t lanes = sizeof(Native) / sizeof(T);
  if constexpr (lanes == 2) {
    return v[0] + v[1];
  } else {
    return [&]<std::size_t... I>(std::index_sequence<I...>) {
      return add_lanes<T>(__builtin_shufflevector(v, v, I...) +
                          __builtin_shufflevector(v, v, (I + lanes / 2)...));
    }
    (std::make_index_sequence<lanes / 2>{});
  }
}

template <class T>
struct Vec;

#ifdef __AVX512F__

inline constexpr int vector_registers = 32;

template <>
struct Vec<float> {
  static constexpr int lanes = 16;
  using Mask = __mmask16;
  __m512 value;

  static Mask first(int count) { return static_cast<Mask>((1u << count) - 1); }
  static Vec zero() { return {_mm512_setzero_ps()}; }
  static Vec all(float x) { return {_mm512_set1_ps(x)}; }
  static Vec load(const float* from) { return {_mm512_loadu_ps(from)}; }
  static Vec load(const float* from, Mask mask) { return {_mm512_maskz_loadu_ps(mask, from)}; }
  void store(float* to) const { _mm512_storeu_ps(to, value); }
  void store(float* to, Mask mask) const { _mm512_mask_storeu_ps(to, mask, value); }
  void add_product(Vec a, Vec b) { value = _mm512_fmadd_ps(a.value, b.value, value); }
  float sum() const { return add_lanes<float>(value); }
};

template <>
struct Vec<double> {
  static constexpr int lanes = 8;
  using Mask = __mmask8;
  __m512d value;

  static Mask first(int count) { return static_cast<Mask>((1u << count) - 1); }
  static Vec zero() { return {_mm512_setzero_pd()}; }
  static Vec all(double x) { return {_mm512_set1_pd(x)}; }
  static Vec load(const double* from) { return {_mm512_loadu_pd(from)}; }
  static Vec load(const double* from, Mask mask) { return {_mm512_maskz_loadu_pd(mask, from)}; }
  void store(double* to) const { _mm512_storeu_pd(to, value); }
  void store(double* to, Mask mask) const { _mm512_mask_storeu_pd(to, mask, value); }
  void add_product(Vec a, Vec b) { value = _mm512_fmadd_pd(a.value, b.value, value); }
  double sum() const { return add_lanes<double>(value); }
};

#elif defined(__AVX2__) && defined(__FMA__)

inline constexpr int vector_registers = 16;

template <>
struct Vec<float> {
  static constexpr int lanes = 8;
  using Mask = __m256i;
  __m256 value;

  static Mask first(int count) {
    return _mm256_cmpgt_epi32(_mm256_set1_epi32(count), _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7));
  }
  static Vec zero() { return {_mm256_setzero_ps()}; }
  static Vec all(float x) { return {_mm256_set1_ps(x)}; }
  static Vec load(const float* from) { return {_mm256_loadu_ps(from)}; }
  static Vec load(const float* from, Mask mask) { return {_mm256_maskload_ps(from, mask)}; }
  void store(float* to) const { _mm256_storeu_ps(to, value); }
  void store(float* to, Mask mask) const { _mm256_maskstore_ps(to, mask, value); }
  void add_product(Vec a, Vec b) { value = _mm256_fmadd_ps(a.value, b.value, value); }
  float sum() const { return add_lanes<float>(value); }
};

template <>
struct Vec<double> {
  static constexpr int lanes = 4;
  using Mask = __m256i;
  __m256d value;

  static Mask first(int count) {
    return _mm256_cmpgt_epi64(_mm256_set1_epi64x(count), _mm256_setr_epi64x(0, 1, 2, 3));
  }
  static Vec zero() { return {_mm256_setzero_pd()}; }
  static Vec all(double x) { return {_mm256_set1_pd(x)}; }
  static Vec load(const double* from) { return {_mm256_loadu_pd(from)}; }
  static Vec load(const double* from, Mask mask) { return {_mm256_maskload_pd(from, mask)}; }
  void store(double* to) const { _mm256_storeu_pd(to, value); }
  void store(double* to, Mask mask) const { _mm256_maskstore_pd(to, mask, value); }
  void add_product(Vec a, Vec b) { value = _mm256_fmadd_pd(a.value, b.value, value); }
  double sum() const { return add_lanes<double>(value); }
};

#else

inline constexpr int vector_registers = 16;

template <class T>
struct Vec {
  static constexpr int lanes = 16 / sizeof(T);
  using Mask = int;  // how many of the first lanes
  using Native [[gnu::vector_size(lanes * sizeof(T))]] = T;
  Native value;

  static Mask first(int count) { return count; }
  static Vec zero() { return {Native{}}; }
  static Vec all(T x) { return {Native{} + x}; }
  static Vec load(const T* from) {
    Vec result;
    std::memcpy(&result.value, from, sizeof result.value);
    return result;
  }
  static Vec load(const T* from, Mask mask) {
    if (mask == lanes) return load(from);
    Vec result = zero();
    for (int i = 0; i < mask; ++i) result.value[i] = from[i];
    return result;
  }
  void store(T* to) const { std::memcpy(to, &value, sizeof value); }
  void store(T* to, Mask mask) const {
    for (int i = 0; i < mask; ++i) to[i] = value[i];
  }
  void add_product(Vec a, Vec b) { value += a.value * b.value; }
  T sum() const { return add_lanes<T>(value); }
};

#endif

// Makes the compiler load a value once into a register, where it would rather read memory again in
// each instruction that uses it: loads across cache lines are dearer than registers.
template <class T>
inline void keep_in_register(Vec<T>& x) {
#if defined(__AVX512F__)
  asm("" : "+v"(x.value));
#elif defined(__x86_64__)
  asm("" : "+x"(x.value));
#else
  (void)x;
#endif
}

// `count` rounded up to whole vectors.
template <class T>
constexpr std::int64_t whole_vectors(std::int64_t count) {
  return (count + Vec<T>::lanes - 1) / Vec<T>::lanes * Vec<T>::lanes;
}

}  // namespace mini::cpu::MINI_ISA
