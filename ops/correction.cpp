#include "ops/correction.h"

#include "ops/kernels.h"
#include "tensor/graph.h"
#include "tensor/view.h"

namespace mini::ops {

Correction correction(const Tensor& x, const Tensor& estimate) {
  check(x.shape() == estimate.shape() && x.dtype() == estimate.dtype(), "correction: ", x.dtype(),
        x.shape(), " and its estimate ", estimate.dtype(), estimate.shape(), " differ");
  check(x.device() == estimate.device(), "correction: a tensor and its estimate are on ",
        x.device(), " and ", estimate.device());
  const Tensor from = contiguous(x), to = contiguous(estimate);
  const std::int64_t blocks = (x.numel() + correction_block - 1) / correction_block;
  Correction result{.codes = Tensor::empty(x.shape(), DType::uint8, x.device()),
                    .starts = Tensor::empty({blocks + 1}, DType::int64, x.device()),
                    .aside = {}};
  MINI_DISPATCH(x.device(), correction_codes, from, to, result.codes, result.starts);
  // A captured step cannot read the number of elements stored aside from the device. It gets space
  // for many more than networks need. If that is too small, `corrected` returns NaN.
  const auto kept_aside = Graph::is_capturing()
                              ? x.numel() / 64 + 64
                              : static_cast<std::int64_t>(select(result.starts, 0, blocks).item());
  result.aside = Tensor::empty({kept_aside}, x.dtype(), x.device());
  if (kept_aside > 0)
    MINI_DISPATCH(x.device(), correction_aside, from, result.codes, result.starts, result.aside);
  return result;
}

Tensor corrected(Tensor estimate, const Correction& correction) {
  check(
      estimate.shape() == correction.codes.shape() && estimate.dtype() == correction.aside.dtype(),
      "corrected: an estimate ", estimate.dtype(), estimate.shape(), " for a correction of ",
      correction.aside.dtype(), correction.codes.shape());
  check(estimate.device() == correction.codes.device(),
        "corrected: estimate and correction are on ", estimate.device(), " and ",
        correction.codes.device());
  if (!estimate.is_contiguous())
    estimate = contiguous(estimate);
  else if (!estimate.is_unshared())
    estimate = clone(estimate);
  MINI_DISPATCH(estimate.device(), correct, estimate, correction.codes, correction.starts,
                correction.aside);
  return estimate;
}

}  // namespace mini::ops
