// Layers on an image that comes row by row: rows go in at one end of a network, and out at the other
// come those that are complete. The result has the bits of the whole image's, and only a few rows are
// in memory at a time.
//
//   WindowRows   one layer: keeps the `halo` rows above those that it still has to make, and waits
//                for as many below
//   ChainRows    layers one after the other
//   SkipRows     layers whose result is joined with what they read: keeps what they read until then
//
//     rows ─┬─ layer ─ layer ─ … ─ join ─▶
//           └─ kept until the layers have caught up ─┘
//
// A 3×3 convolution waits for one row, so a network of n layers gives its first row after n rows, and
// holds two rows for each layer. Tiles with an overlap would compute the overlap of all n layers, on
// all sides, again and again.
#pragma once

#include <algorithm>
#include <functional>
#include <memory>
#include <vector>

#include "tensor/shape.h"
#include "tensor/tensor.h"

namespace mini::nn {

// Rows on their way, and the bytes of the memory that they lie in.
struct RowCount {
  std::int64_t rows = 0;
  std::size_t bytes = 0;
};

// Bytes during a rehearsal: all that is kept between pushes, and the most at any time.
struct RowMemory {
  std::size_t kept = 0, peak = 0;
  void use(std::size_t bytes) { peak = std::max(peak, kept + bytes); }
};

class RowLayer {
 public:
  // `output`: the shape of the result for the whole image.
  RowLayer(const Shape& output, DType dtype) : output_(output), dtype_(dtype) {}
  virtual ~RowLayer() = default;

  // Takes the next rows [N,C,R,W], or none: undefined. Returns the rows of the result that are now
  // complete; undefined if there are none.
  virtual Tensor push(Tensor rows) = 0;
  // Only counts.
  virtual RowCount rehearse(const RowCount& in, RowMemory& memory) = 0;

  const Shape& output() const { return output_; }
  DType dtype() const { return dtype_; }

 private:
  Shape output_;
  DType dtype_;
};
using RowLayers = std::unique_ptr<RowLayer>;

// The rows from some number on, of which more are added below and some dropped above.
class KeptRows {
 public:
  void append(Tensor rows);
  Tensor view(std::int64_t begin, std::int64_t end) const;
  // Copies the rows that stay, so that the memory of the others is freed.
  void drop_above(std::int64_t row);

 private:
  std::int64_t begin_ = 0;
  Tensor rows_;
};

struct RowFunction {
  std::function<Tensor(const Tensor&)> function;
  std::int64_t halo = 0;                 // rows above and below that a row of the result depends on
  std::int64_t grid = 1;                 // a part has the whole's bits if it begins at a multiple
  std::int64_t enlarge = 1, shrink = 1;  // the result has rows·enlarge/shrink
  // Bytes of workspace, besides the result, for an input of this shape.
  std::function<std::size_t(const Shape&)> workspace{};
};

class WindowRows : public RowLayer {
 public:
  // `input`: the shape of the whole image.
  WindowRows(const Shape& input, DType dtype, const Shape& output, RowFunction function);
  Tensor push(Tensor rows) override;
  RowCount rehearse(const RowCount& in, RowMemory& memory) override;

 private:
  struct Step {
    std::int64_t begin, end;  // rows of the image that are dealt with now
    std::int64_t from, to;    // what the function is given
    std::int64_t held, keep;  // rows, before and afterwards
  };
  Step advance(std::int64_t rows);
  std::size_t bytes(std::int64_t rows) const;         // of the input
  std::size_t result_bytes(std::int64_t rows) const;  // for so many rows of the input

  Shape input_;
  RowFunction function_;
  KeptRows kept_;
  std::int64_t seen_ = 0, done_ = 0;
};

class ChainRows : public RowLayer {
 public:
  // An empty chain changes nothing.
  ChainRows(const Shape& input, DType dtype, std::vector<RowLayers> layers);
  Tensor push(Tensor rows) override;
  RowCount rehearse(const RowCount& in, RowMemory& memory) override;

 private:
  std::vector<RowLayers> layers_;
};

class SkipRows : public RowLayer {
 public:
  // `join` makes rows of the result, with so many channels, from those read and those of `inner`.
  using Join = std::function<Tensor(const Tensor& read, const Tensor& made)>;
  SkipRows(const Shape& input, RowLayers inner, std::int64_t channels, Join join);
  Tensor push(Tensor rows) override;
  RowCount rehearse(const RowCount& in, RowMemory& memory) override;

 private:
  std::size_t bytes(std::int64_t channels, std::int64_t rows) const;

  Shape input_;
  RowLayers inner_;
  Join join_;
  KeptRows kept_;
  std::int64_t seen_ = 0, done_ = 0;
};

// Null where `inner` is.
inline RowLayers skip_rows(const Shape& input, RowLayers inner, std::int64_t channels,
                           SkipRows::Join join) {
  if (inner == nullptr) return nullptr;
  return std::make_unique<SkipRows>(input, std::move(inner), channels, std::move(join));
}

// Builds a chain: what cannot be streamed makes it null, and all that follows is left out.
class RowChain {
 public:
  RowChain(const Shape& input, DType dtype) : input_(input), shape_(input), dtype_(dtype) {}

  const Shape& shape() const { return shape_; }  // of the image so far
  DType dtype() const { return dtype_; }
  RowChain& add(RowLayers layer);
  // A function of each pixel, after which there are so many channels.
  RowChain& add_pixelwise(std::int64_t channels, std::function<Tensor(const Tensor&)> function);
  RowLayers take();

 private:
  Shape input_, shape_;
  DType dtype_;
  std::vector<RowLayers> layers_;
  bool possible_ = true;
};

}  // namespace mini::nn
