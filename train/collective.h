// What processes that train one network together say to each other.
//
// Each has a rank, 0 .. size-1, and all call the same functions of their Collective in the same
// order; a process alone is rank 0 of 1. How they talk is up to the implementation: over MPI in
// tools/mini_train/mpi.cpp. Sums have the same bits in every process, and in every run of as many.
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

  // Starts to replace `values`, dense, float32 or float64, by their sum over all processes. Nobody
  // may look at them before wait().
  virtual void start_all_reduce(const Tensor& values) = 0;
  // Keeps what was started moving; returns at once.
  virtual void poll() = 0;
  // Returns when all that was started is done.
  virtual void wait() = 0;

  // Everybody's `values`, dense and of any dtype, become those of rank 0.
  virtual void broadcast(const Tensor& values) = 0;
  // Everybody's values, as many each, one rank behind the other.
  virtual std::vector<double> all_gather(std::span<const double> values) = 0;
  // Returns when everybody has come to this point.
  virtual void barrier() = 0;

  // Conveniences in terms of the above: sums, whether anybody says yes, a text of rank 0.
  std::vector<double> all_reduce(std::span<const double> values);
  bool any(bool value);
  std::string broadcast_text(const std::string& text);
};

// A process alone, to which all of this is nothing.
Collective& single_process();

// Which part of every batch this process works on: of count·b samples those from index·b on, b.
struct Share {
  std::int64_t index = 0, count = 1;
};
inline Share share_of(const Collective& collective) {
  return {collective.rank(), collective.size()};
}

}  // namespace mini::train
