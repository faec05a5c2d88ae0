// IR-SE50, the face recognition network whose embeddings say who is in a picture: a residual network
// of 50 layers (J. Deng et al., "ArcFace: Additive angular margin loss for deep face recognition",
// CVPR 2019) with squeeze and excitation.
//
//   x ─ input_layer ─ body.0 ... body.23 ─ output_layer ─ embedding
//
// A unit of the body, which halves the sides where its width changes and at its very beginning:
//
//   x ─┬─ BN ─ conv3×3 ─ PReLU ─ conv3×3 /s ─ BN ─ SqueezeExcite ─ + ─ y
//      └─ every s-th pixel, or conv1×1 /s ─ BN ───────────────────┘
//
// Names are the official ones.
#pragma once

#include <array>
#include <vector>

#include "nn/layers.h"
#include "nn/sequential.h"
#include "tensor/random.h"

namespace mini::models {

// All but the output layer, which the pSp encoder (models/psp/) has in common.
class IrSe50Trunk : public nn::Module {
 protected:
  // The four widths are `width` times 1, 2, 4 and 8.
  IrSe50Trunk(std::int64_t width, Generator& generator);
  // What comes out of these units of the body, in rising order.
  std::vector<Tensor> after_units(const Tensor& x, const std::vector<std::size_t>& units) const;
  static constexpr std::size_t last_unit = 23;

 private:
  nn::Sequential input_layer_, body_;
};

class IrSe50 : public IrSe50Trunk {
 public:
  explicit IrSe50(Generator& generator);

  // Faces [N,3,H,W] in [-1,1], aligned as FFHQ's -> embeddings [N,512] of length 1. They are resized
  // to 256×256 and cut to the part between hair and chin, which becomes 112×112.
  Tensor operator()(const Tensor& faces) const;
  // That part.
  static Tensor crop(const Tensor& faces);

 private:
  nn::Sequential output_layer_;
};

// The mean over the batch of 1 - cosine of the angle between the embeddings of two pictures.
Tensor identity_loss(const IrSe50& network, const Tensor& a, const Tensor& b);

}  // namespace mini::models
