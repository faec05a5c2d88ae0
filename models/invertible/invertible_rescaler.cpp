#include "models/invertible/invertible_rescaler.h"

#include "autograd/functions.h"
#include "models/invertible/strips.h"
#include "tensor/view.h"

namespace mini::models {
namespace {

class LatentStream : public RowStream {
 public:
  LatentStream(const FlowRescaler& network, Rescaling way, const Shape& input, DType dtype,
               const Generator* generator)
      : network_(network), flow_(network.flow(), way, input, dtype), way_(way), input_(input) {
    if (generator != nullptr) generator_ = *generator;
  }

  Tensor push(Tensor rows) override {
    if (way_ == Rescaling::downscale) {
      const Tensor lr = flow_.push(std::move(rows));
      return lr.defined() ? quantise(lr) : lr;
    }
    Tensor z = latent(rows);
    seen_ += rows.size(2);
    return flow_.push(std::move(rows), std::move(z));
  }

  std::size_t rehearse(std::int64_t rows) override { return flow_.rehearse(rows); }
  std::int64_t row_grid() const override { return flow_.row_grid(); }

 private:
  // Drawn one by one: the noise behind a value of SAIN's mixture is ten times its size.
  Tensor latent(const Tensor& rows) const {
    const Shape whole{input_[0], network_.latent_channels(), input_[2], input_[3]};
    Tensor z =
        Tensor::zeros({whole[0], whole[1], rows.size(2), whole[3]}, rows.dtype(), rows.device());
    for (std::int64_t row = 0; generator_ && row < rows.size(2); ++row) {
      Generator generator = *generator_;
      ops::copy(network_.sample_latent(whole, generator, ops::DrawPart{2, seen_ + row, 1}),
                ops::narrow(z, 2, row, 1));
    }
    return z;
  }

  const FlowRescaler& network_;
  FlowStream flow_;
  Rescaling way_;
  Shape input_;
  std::optional<Generator> generator_;
  std::int64_t seen_ = 0;  // rows
};

}  // namespace

Tensor InvertibleRescaler::downscale(const Tensor& hr) const { return quantise(forward(hr).lr); }

Tensor InvertibleRescaler::upscale(const Tensor& lr, Generator* generator) const {
  check(lr.rank() == 4 && lr.size(1) == image_channels, "upscale: needs an image [N,3,H,W], got ",
        lr.shape());
  const Shape shape{lr.size(0), latent_channels(), lr.size(2), lr.size(3)};
  const Tensor z = generator == nullptr ? Tensor::zeros(shape, lr.dtype(), lr.device())
                                        : sample_latent(shape, *generator);
  return inverse(concat({lr, z}, 1)).out;
}

FlowResult FlowRescaler::forward(const Tensor& x, bool with_log_det) const {
  return flow().forward(x, {.memory = memory(), .log_det = with_log_det});
}

FlowResult FlowRescaler::inverse(const Tensor& y, bool with_log_det) const {
  return flow().inverse(y, {.memory = memory(), .log_det = with_log_det});
}

Tensor FlowRescaler::downscale(const Tensor& hr) const {
  return quantise(flow().to_lr().forward(hr, {.memory = memory()}).lr);
}

std::unique_ptr<RowStream> FlowRescaler::stream(Rescaling way, const Shape& input, DType dtype,
                                                const Generator* generator) const {
  return std::make_unique<LatentStream>(*this, way, input, dtype, generator);
}

}  // namespace mini::models
