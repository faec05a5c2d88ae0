// Deterministic parallel loops. How a range is split may depend on the number of threads, so a body
// must compute each index independently of the split; a reduction goes over fixed blocks, whose
// partial results are then added in order.
#pragma once

#include <cstdint>
#include <exception>

#ifdef _OPENMP
#include <omp.h>
#endif

namespace mini {

inline int max_threads() {
#ifdef _OPENMP
  return omp_in_parallel() ? 1 : omp_get_max_threads();
#else
  return 1;
#endif
}

inline void set_threads(int count) {
#ifdef _OPENMP
  omp_set_num_threads(count);
#else
  (void)count;
#endif
}

// Calls body(begin, end) on disjoint ranges that cover [0, count), at most one for each started
// `grain`. An exception of a body is thrown again here.
template <class Body>
void parallel_for(std::int64_t count, std::int64_t grain, const Body& body) {
  if (count <= 0) return;
  const std::int64_t chunks_wanted = (count + grain - 1) / grain;
  const int threads =
      static_cast<int>(chunks_wanted < max_threads() ? chunks_wanted : max_threads());
  if (threads <= 1) {
    body(std::int64_t{0}, count);
    return;
  }
#ifdef _OPENMP
  std::exception_ptr error;
#pragma omp parallel for num_threads(threads) schedule(static, 1)
  for (int thread = 0; thread < threads; ++thread) {
    try {
      body(count * thread / threads, count * (thread + 1) / threads);
    } catch (...) {
#pragma omp critical(mini_parallel_error)
      error = std::current_exception();
    }
  }
  if (error) std::rethrow_exception(error);
#endif
}

// The same for uneven work: indices are handed out one by one as threads become free.
template <class Body>
void parallel_tasks(std::int64_t count, const Body& body) {
  if (count <= 1 || max_threads() == 1) {
    for (std::int64_t i = 0; i < count; ++i) body(i);
    return;
  }
#ifdef _OPENMP
  std::exception_ptr error;
#pragma omp parallel for schedule(dynamic, 1)
  for (std::int64_t i = 0; i < count; ++i) {
    try {
      body(i);
    } catch (...) {
#pragma omp critical(mini_parallel_error)
      error = std::current_exception();
    }
  }
  if (error) std::rethrow_exception(error);
#endif
}

}  // namespace mini
