// Pictures of any mode (io/modes.h) through a Scaler, which takes RGB alone.
//
//   gray   is repeated as RGB; the result is the mean of the three channels
//   alpha  is interpolated bicubically, beside the colours. What hides where alpha is 0 is replaced by the
//          colours near it before, so that it never becomes visible and edges have no seam
#pragma once

#include "infer/scaler.h"
#include "models/rescaler.h"
#include "tensor/tensor.h"

namespace mini::infer {

// The result is of the picture's mode and depth. `quality` is Scaler::upscale's.
Tensor scale_picture(const Scaler& scaler, const Tensor& picture, models::Rescaling way,
                     int quality = models::lossless);

}  // namespace mini::infer
