// Where host and device meet. A GPU works off a queue while the host goes on; these let the two hand
// values to each other without waiting for more than is needed. On the CPU all of it happens at once.
// Also inside a step that is captured and replayed: see tensor/graph.h.
#pragma once

#include <functional>
#include <memory>

#include "tensor/tensor.h"

namespace mini {

// Waits until everything asked of the device is done.
void synchronize(Device device);

// A tensor's values on the host, as they are at this place in the device's queue.
class HostCopy {
 public:
  HostCopy() = default;
  explicit HostCopy(const Tensor& x);  // begins the copy
  // Waits for it, and for nothing that was queued later. Valid as long as this object or a copy of
  // it lives; in a replayed step, until the next replay.
  const Tensor& wait() const;

  // A copy under way.
  class Transfer {
   public:
    virtual ~Transfer() = default;
    virtual const Tensor& wait() const = 0;
  };

 private:
  std::shared_ptr<const Transfer> transfer_;
};

// A tensor on `device` whose values `make` writes on the host, into a contiguous tensor of that
// shape and dtype. The host does so at once, while the device may still be busy with what was queued
// before.
Tensor from_host(const Shape& shape, DType dtype, Device device,
                 const std::function<void(const Tensor& values)>& make);

}  // namespace mini
