#include "ops/resample.h"

#include <cmath>

#include "ops/kernels.h"
#include "tensor/view.h"

namespace mini::ops {
namespace {

void check_operands(const Shape& image, const Tensor& kernels, const Tensor& offsets_h,
                    const Tensor& offsets_v, std::int64_t scale) {
  constexpr const char* op = "adaptive_resample";
  const Shape& taps = kernels.shape();
  check(image.rank() == 4 && taps.rank() == 4 && image[0] == taps[0], op,
        ": needs an image [N,C,H,W] and kernels [N,k²,h,w], got ", image, " and ", taps);
  const auto side = std::llround(std::sqrt(static_cast<double>(taps[1])));
  check(side * side == taps[1], op, ": ", taps[1], " taps are no square of a whole number");
  check(offsets_h.shape() == taps && offsets_v.shape() == taps, op, ": kernels ", taps,
        " and offsets ", offsets_h.shape(), " and ", offsets_v.shape(), " differ");
  check(image[2] > 0 && image[3] > 0, op, ": the image ", image, " has no pixels");
  check(scale > 0, op, ": scale must be above 0, got ", scale);
  check(kernels.dtype() == offsets_h.dtype() && kernels.dtype() == offsets_v.dtype() &&
            kernels.device() == offsets_h.device() && kernels.device() == offsets_v.device(),
        op, ": kernels and offsets must have one dtype and be on one device");
}

// `image` or the gradient of the result.
void check_other(const Tensor& other, const Tensor& kernels) {
  check(other.dtype() == kernels.dtype() && other.device() == kernels.device(),
        "adaptive_resample: image and kernels are ", other.dtype(), " on ", other.device(), " and ",
        kernels.dtype(), " on ", kernels.device());
}

}  // namespace

Tensor adaptive_resample(const Tensor& image, const Tensor& kernels, const Tensor& offsets_h,
                         const Tensor& offsets_v, std::int64_t scale) {
  check_operands(image.shape(), kernels, offsets_h, offsets_v, scale);
  check_other(image, kernels);
  Tensor y = Tensor::empty({image.size(0), image.size(1), kernels.size(2), kernels.size(3)},
                           image.dtype(), image.device());
  MINI_DISPATCH(image.device(), adaptive_resample, contiguous(image), contiguous(kernels),
                contiguous(offsets_h), contiguous(offsets_v), y, scale);
  return y;
}

ResampleGradients adaptive_resample_gradient(const Tensor& dy, const Tensor& image,
                                             const Tensor& kernels, const Tensor& offsets_h,
                                             const Tensor& offsets_v, std::int64_t scale) {
  check_operands(image.shape(), kernels, offsets_h, offsets_v, scale);
  check_other(image, kernels);
  check_other(dy, kernels);
  const auto like = [&] {
    return Tensor::empty(kernels.shape(), kernels.dtype(), kernels.device());
  };
  const ResampleGradients result{like(), like(), like()};
  MINI_DISPATCH(dy.device(), adaptive_resample_gradient, contiguous(dy), contiguous(image),
                contiguous(kernels), contiguous(offsets_h), contiguous(offsets_v), result.kernels,
                result.offsets_h, result.offsets_v, scale);
  return result;
}

Tensor adaptive_resample_image_gradient(const Tensor& dy, const Shape& image, const Tensor& kernels,
                                        const Tensor& offsets_h, const Tensor& offsets_v,
                                        std::int64_t scale) {
  check_operands(image, kernels, offsets_h, offsets_v, scale);
  check_other(dy, kernels);
  Tensor dx = Tensor::zeros(image, dy.dtype(), dy.device());
  MINI_DISPATCH(dy.device(), adaptive_resample_image_gradient, contiguous(dy), contiguous(kernels),
                contiguous(offsets_h), contiguous(offsets_v), dx, scale);
  return dx;
}

}  // namespace mini::ops
