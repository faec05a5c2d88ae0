// A step of kernels that is the same every time: captured once, then replayed as a whole, so that
// the host need not launch thousands of kernels one by one.
//
// While `capture` runs a step, nothing is computed: its kernels are written down, with the addresses
// they work on. What is new in every replay comes in through
//   tensors made before, into which the caller copies new values (the batch),
//   from_host (tensor/queue.h), whose functions are called again,
//   random numbers, drawn from wherever the generator is then,
// and goes out through HostCopy. A step must not need a value on the host otherwise: item() is an
// error there. Read next: ops/cuda/graph.cpp.
#pragma once

#include <functional>
#include <memory>

#include "tensor/allocator.h"
#include "tensor/random.h"

namespace mini {

class Graph {
 public:
  // Graphs that share a pool share memory: tensors made in one's step do not outlive its replay
  // unless somebody holds them.
  explicit Graph(Device device, const std::shared_ptr<Allocator::Pool>& pool = nullptr);
  ~Graph();
  Graph(const Graph&) = delete;
  Graph& operator=(const Graph&) = delete;

  // `random`: the one generator that the step draws from, as it is before the step.
  void capture(const Generator& random, const std::function<void()>& step);
  // Whether one is being captured just now, by this thread.
  static bool is_capturing();
  // `random`: where the step is to draw from this time. Returns when all is queued.
  void replay(const Generator& random);

  class State;

 private:
  std::unique_ptr<State> state_;
};

}  // namespace mini
