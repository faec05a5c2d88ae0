// How processes that train one network together communicate.
//
// Each has a rank, 0 .. size-1, and all call the same functions of their Collective in the same
// order; a process alone is rank 0 of 1. tools/mini_train/mpi.cpp
// implements it over MPI. Sums have the same bits in every process, and in every run of as many.
// Read next: train/gradient_sync.h, then docs/parallel.md.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "tensor/tensor.h"

namespace mini::train {

class Collective {
 public:
  Collective() = default;
  Collective(const Collective&) = delete;
  Collective& operator=(const Collective&) = delete;
  virtual ~Collective() = default;

  virtual int rank() const = 0;
  virtual int size() const = 0;

  // Starts to replace `values`, dense, float32 or float64, by their sum over all processes. They
  // must not be read before wait().
  virtual void start_all_reduce(const Tensor& values) = 0;
  // Lets the messages that were started proceed; returns at once.
  virtual void poll() = 0;
  // Returns when all that was started is done.
  virtual void wait() = 0;

  // Overwrites the `values` of all processes, dense and of any dtype, with those of rank 0.
  virtual void broadcast(const Tensor& values) = 0;
  // The values of all processes, equally many of each, in the order of ranks.
  virtual std::vector<double> all_gather(std::span<const double> values) = 0;
  // Returns when all processes have called it.
  virtual void barrier() = 0;

  // Made of the above: sums, whether any process says yes, a text of rank 0.
  std::vector<double> all_reduce(std::span<const double> values);
  bool any(bool value);
  std::string broadcast_text(const std::string& text);
};

// A process alone: all functions return at once.
Collective& single_process();

// Which part of every batch this process works on: of count·b samples the b samples from index·b on.
struct Share {
  std::int64_t index = 0, count = 1;
};
inline Share share_of(const Collective& collective) {
  return {collective.rank(), collective.size()};
}

}  // namespace mini::train
