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

// A network in use, from the first row of an image to the last. Records nothing.
class RowStream {
 public:
  virtual ~RowStream() = default;
  // The next rows, as many as there are, [N,3,R,W]. Returns the rows of the result that are now
  // complete; undefined if there are none.
  virtual Tensor push(Tensor rows) = 0;
  // The same without doing it, for the bytes that tensors take meanwhile at most: the rows pushed,
  // the result and all that is kept from earlier pushes included.
  virtual std::size_t rehearse(std::int64_t rows) = 0;
  // Rows become complete in multiples of this many: others only wait for the next push.
  virtual std::int64_t row_grid() const { return 1; }
};

class Rescaler : public nn::Module {
 public:
  virtual std::string name() const = 0;
  virtual std::int64_t scale() const = 0;

  // LR in [0,1], in steps of 1/255. H and W are multiples of scale(). Unless a network has its own
  // way of making images small: bicubic.
  virtual Tensor downscale(const Tensor& hr) const;
  // From a generator comes what stands for the detail that LR lost, where a network draws that.
  // Null, and of other networks: the same image every time.
  virtual Tensor upscale(const Tensor& lr, Generator* generator = nullptr) const = 0;

  // What downscale or upscale makes of an image of shape `input`, bit for bit, row by row; the stream
  // draws as if from a copy of `generator`. Null: this network takes whole images only. The network
  // must outlive the stream.
  virtual std::unique_ptr<RowStream> stream(Rescaling way, const Shape& input, DType dtype,
                                            const Generator* generator = nullptr) const;
};

// The most bytes that tensors take while an image goes through a network, which must have streams,
// in strips of `rows` rows.
std::size_t strip_memory(const Rescaler& network, Rescaling way, const Shape& input, DType dtype,
                         std::int64_t rows);
// The most rows that a strip may have for that to be at most `bytes`: the whole height, or else a
// multiple of `unit`; 0 if not even one unit fits.
std::int64_t strip_rows(const Rescaler& network, Rescaling way, const Shape& input, DType dtype,
                        std::int64_t unit, std::size_t bytes);

}  // namespace mini::models
