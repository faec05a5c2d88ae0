#include "models/invertible/log_det.h"

#include "autograd/functions.h"
#include "models/invertible/haar.h"

namespace mini::models {

void LogDet::add_haar(const Shape& large) {
  constant_ += direction_ * HaarDownsampling::log_det(large);
}

void LogDet::add_coupling(const Tensor& log_scale) {
  const Tensor term = sum(log_scale) * (direction_ / batch_);
  sum_ = sum_.defined() ? sum_ + term : term;
}

Tensor LogDet::total(const Tensor& like) const {
  return sum_.defined() ? sum_ + constant_
                        : Tensor::full({}, constant_, like.dtype(), like.device());
}

}  // namespace mini::models
