// Adding up the log-determinant of a pass through Haar levels and coupling blocks.
#pragma once

#include "tensor/tensor.h"

namespace mini::models {

class LogDet {
 public:
  // direction: +1 forward, -1 inverse; batch: the number of samples that Σs is averaged over.
  LogDet(double direction, std::int64_t batch) : direction_(direction), batch_(double(batch)) {}

  void add_haar(const Shape& large);
  void add_coupling(const Tensor& log_scale);
  Tensor total(const Tensor& like) const;  // one element, of the dtype and device of `like`

 private:
  double direction_;
  double batch_;
  double constant_ = 0;
  Tensor sum_;
};

}  // namespace mini::models
