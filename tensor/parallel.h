// Deterministic parallel loops. How a range is divided may depend on the number of threads and on
// which of them are free, so a body must compute each index independently of the division; a
// reduction goes over fixed blocks, whose partial sums are then added in order.
//
// One pool of threads serves the whole process (tensor/parallel.cpp). Inside a body, and while
// another thread uses the pool, loops run serially on the calling thread.
#pragma once

#include <algorithm>
#include <cstdint>

namespace mini {

// Threads that a loop of the calling thread uses, at least 1; inside a body it is 1. The default is
// MINI_NUM_THREADS, else OMP_NUM_THREADS, else the processors that this process may use
// (tensor/limits.h).
int max_threads();
// Changes it for the calling thread.
void set_threads(int count);

namespace detail {
// Calls call(body, i) for i in [0, chunks), on up to `threads` threads. Rethrows an exception of a
// call; the calls that have not begun by then are left out.
void run_chunks(std::int64_t chunks, int threads, void (*call)(const void* body, std::int64_t i),
                const void* body);

template <class Body>
void run_chunks(std::int64_t chunks, int threads, const Body& body) {
  run_chunks(
      chunks, threads, [](const void* b, std::int64_t i) { (*static_cast<const Body*>(b))(i); },
      &body);
}

// More shares than threads, so that a thread that the system has suspended holds up only one.
inline constexpr std::int64_t shares_per_thread = 4;
inline constexpr std::int64_t most_chunks = 1 << 16;
}  // namespace detail

// Calls body(begin, end) on disjoint ranges that cover [0, count), each of about `grain` indices or
// more. Rethrows an exception of a body.
template <class Body>
void parallel_for(std::int64_t count, std::int64_t grain, const Body& body) {
  if (count <= 0) return;
  const std::int64_t wanted = (count + grain - 1) / grain;
  const int threads = static_cast<int>(std::min<std::int64_t>(wanted, max_threads()));
  if (threads <= 1) return body(std::int64_t{0}, count);
  const std::int64_t chunks = std::min(wanted, threads * detail::shares_per_thread);
  detail::run_chunks(chunks, threads,
                     [&](std::int64_t i) { body(count * i / chunks, count * (i + 1) / chunks); });
}

// Calls body(i) for i in [0, count), for uneven work: a thread that is free takes the next index.
template <class Body>
void parallel_tasks(std::int64_t count, const Body& body) {
  const std::int64_t chunks = std::min(count, detail::most_chunks);
  const int threads = static_cast<int>(std::min<std::int64_t>(chunks, max_threads()));
  if (threads <= 1) {
    for (std::int64_t i = 0; i < count; ++i) body(i);
    return;
  }
  detail::run_chunks(chunks, threads, [&](std::int64_t chunk) {
    for (std::int64_t i = count * chunk / chunks; i < count * (chunk + 1) / chunks; ++i) body(i);
  });
}

}  // namespace mini
