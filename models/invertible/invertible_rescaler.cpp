#include "models/invertible/invertible_rescaler.h"

#include "autograd/functions.h"
#include "models/invertible/strips.h"
#include "tensor/view.h"

namespace mini::models {
namespace {

class LatentStream : public RowStream {
 public:
  LatentStream(const FlowRescaler& network, Rescaling way, const Shape& input, DType dtype,
               const Generator* generator, int quality)
      : network_(network),
        flow_(network.flow(network.condition({quality})), way, input, dtype),
        way_(way),
        input_(input) {
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

Tensor InvertibleRescaler::condition(const std::vector<int>& qualities) const {
  if (!has_condition()) return {};
  std::vector<double> values;
  values.reserve(qualities.size());
  for (const int quality : qualities) values.push_back(1 - quality / 100.0);
  const Tensor any = parameters().front();
  if (values.size() == 1) return Tensor::full({1, 1, 1, 1}, values[0], any.dtype(), any.device());
  const Tensor here = Tensor::from(values, {std::ssize(values), 1, 1, 1});
  return ops::to_device(ops::cast(here, any.dtype()), any.device());
}

Tensor InvertibleRescaler::downscale(const Tensor& hr) const {
  return quantise(forward(hr, false, condition({lossless})).lr);
}

Tensor InvertibleRescaler::upscale(const Tensor& lr, Generator* generator, int quality) const {
  check(lr.rank() == 4 && lr.size(1) == image_channels, "upscale: needs an image [N,3,H,W], got ",
        lr.shape());
  const Shape shape{lr.size(0), latent_channels(), lr.size(2), lr.size(3)};
  const Tensor z = generator == nullptr ? Tensor::zeros(shape, lr.dtype(), lr.device())
                                        : sample_latent(shape, *generator);
  return inverse(concat({lr, z}, 1), false, condition({quality})).out;
}

FlowResult FlowRescaler::forward(const Tensor& x, bool with_log_det,
                                 const Tensor& condition) const {
  return flow(condition).forward(x, {.memory = memory(), .log_det = with_log_det});
}

FlowResult FlowRescaler::inverse(const Tensor& y, bool with_log_det,
                                 const Tensor& condition) const {
  return flow(condition).inverse(y, {.memory = memory(), .log_det = with_log_det});
}

Tensor FlowRescaler::downscale(const Tensor& hr) const {
  return quantise(flow(condition({lossless})).to_lr().forward(hr, {.memory = memory()}).lr);
}

std::unique_ptr<RowStream> FlowRescaler::stream(Rescaling way, const Shape& input, DType dtype,
                                                const Generator* generator, int quality) const {
  return std::make_unique<LatentStream>(*this, way, input, dtype, generator, quality);
}

}  // namespace mini::models
