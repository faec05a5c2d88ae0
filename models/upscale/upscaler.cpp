#include "models/upscale/upscaler.h"

#include "autograd/node.h"

namespace mini::models {
namespace {

class UpscalerStream : public RowStream {
 public:
  UpscalerStream(nn::RowLayers layers, const Shape& lr, DType dtype)
      : layers_(std::move(layers)), lr_(lr), dtype_(dtype) {}

  Tensor push(Tensor rows) override {
    const NoGrad no_grad;
    return layers_->push(std::move(rows));
  }
  std::size_t rehearse(std::int64_t rows) override {
    const auto bytes =
        static_cast<std::size_t>(lr_[0] * lr_[1] * rows * lr_[3]) * element_size(dtype_);
    memory_.peak = 0;
    layers_->rehearse({rows, bytes}, memory_);
    return memory_.peak;
  }

 private:
  nn::RowLayers layers_;
  Shape lr_;
  DType dtype_;
  nn::RowMemory memory_;
};

}  // namespace

std::unique_ptr<RowStream> Upscaler::stream(Rescaling way, const Shape& input, DType dtype,
                                            const Generator* /*generator*/, int /*quality*/) const {
  if (way == Rescaling::downscale) return nullptr;
  nn::RowLayers layers = rows(input, dtype);
  if (layers == nullptr) return nullptr;
  return std::make_unique<UpscalerStream>(std::move(layers), input, dtype);
}

}  // namespace mini::models
