// A graph of kernels: a step is captured once and then replayed as a whole, so that the host need
// not launch its thousands of kernels one by one.
//
// While `capture` runs a step, the device computes nothing: it records the kernels and the
// addresses they work on. New values enter a replay through
//   tensors made before the capture, into which the caller copies them (the batch),
//   from_host (tensor/queue.h), whose functions are called again,
//   random numbers, drawn from the current position of the generator,
// and results leave it through HostCopy. A step cannot use a device's values on the host in any
// other way: item() is an error there. Read next: ops/cuda/graph.cpp.
#pragma once

#include <functional>
#include <memory>

#include "tensor/allocator.h"
#include "tensor/random.h"

namespace mini {

class Graph {
 public:
  // Graphs that share a pool share its memory: a tensor made in a graph's step is overwritten by
  // the others' replays, unless the caller holds it.
  explicit Graph(Device device, const std::shared_ptr<Allocator::Pool>& pool = nullptr);
  ~Graph();
  Graph(const Graph&) = delete;
  Graph& operator=(const Graph&) = delete;

  // `random` is the one generator that the step draws from, in its state before the step.
  void capture(const Generator& random, const std::function<void()>& step);
  // Whether this thread is capturing a graph now.
  static bool is_capturing();
  // `random` gives the position from which the step draws this time. Returns as soon as all is
  // queued.
  void replay(const Generator& random);

  class State;

 private:
  std::unique_ptr<State> state_;
};

}  // namespace mini
