// A network that makes images small, large, or both: what the tools see of it.
//
//   downscale: HR [N,3,H,W] -> LR [N,3,H/s,W/s]        upscale: LR -> HR
//
// Which networks there are: models/registry.h.
#pragma once

#include <memory>
#include <string>

#include "nn/module.h"
#include "tensor/random.h"

namespace mini::models {

enum class Rescaling { downscale, upscale };

// The quality of a codec that loses nothing.
constexpr int lossless = 100;

// Runs a network over an image row by row, from the first to the last. Records no gradients.
class RowStream {
 public:
  virtual ~RowStream() = default;
  // Takes the next rows, any number of them, [N,3,R,W]. Returns the rows of the result that are now
  // complete; undefined if there are none.
  virtual Tensor push(Tensor rows) = 0;
  // Only counts: the most bytes that tensors would take during push(), including the rows pushed, the
  // result and all that is kept from earlier pushes.
  virtual std::size_t rehearse(std::int64_t rows) = 0;
  // Rows become complete in multiples of this number; any rest waits for the next push.
  virtual std::int64_t row_grid() const { return 1; }
};

class Rescaler : public nn::Module {
 public:
  virtual std::string name() const = 0;
  virtual std::int64_t scale() const = 0;

  // LR in [0,1], in steps of 1/255. H and W must be multiples of scale(). Bicubic, unless a network
  // overrides it.
  virtual Tensor downscale(const Tensor& hr) const;
  // A network that draws the detail which LR lost takes it from `generator`. With null, and of other
  // networks, the image is the same every time. `quality`: of the codec that LR went through, for a network
  // that makes use of it.
  virtual Tensor upscale(const Tensor& lr, Generator* generator = nullptr,
                         int quality = lossless) const = 0;

  // From now on keeps for the gradient only what goes into each of its blocks, which are evaluated
  // again in backward: less memory, more time, the same bits. What has no blocks keeps everything.
  virtual void checkpoint_blocks(bool /*on*/) {}

  // What downscale or upscale makes of an image of shape `input`, bit for bit, row by row; the stream
  // draws as if from a copy of `generator`. Null: this network takes whole images only. The network
  // must outlive the stream.
  virtual std::unique_ptr<RowStream> stream(Rescaling way, const Shape& input, DType dtype,
                                            const Generator* generator = nullptr,
                                            int quality = lossless) const;
};

// The most bytes that tensors take while an image goes through a network in strips of `rows` rows. The
// network must have streams.
std::size_t strip_memory(const Rescaler& network, Rescaling way, const Shape& input, DType dtype,
                         std::int64_t rows);
// The most rows that a strip may have so that strip_memory() is at most `bytes`: the whole height, or
// else a multiple of `unit`; 0 if not even one unit fits.
std::int64_t strip_rows(const Rescaler& network, Rescaling way, const Shape& input, DType dtype,
                        std::int64_t unit, std::size_t bytes);

}  // namespace mini::models
