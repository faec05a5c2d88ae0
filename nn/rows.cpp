#include "nn/rows.h"

#include <algorithm>

#include "autograd/functions.h"
#include "tensor/error.h"
#include "tensor/view.h"

namespace mini::nn {
namespace {

Shape with_rows(Shape shape, std::int64_t rows) {
  shape[2] = rows;
  return shape;
}

std::size_t bytes_of(const Shape& whole, std::int64_t rows, DType dtype) {
  return static_cast<std::size_t>(whole[0] * whole[1] * rows * whole[3]) * element_size(dtype);
}

}  // namespace

void KeptRows::append(Tensor rows) {
  if (!rows.defined()) return;
  rows_ = rows_.defined() ? concat({rows_, std::move(rows)}, 2) : std::move(rows);
}

Tensor KeptRows::view(std::int64_t begin, std::int64_t end) const {
  return ops::narrow(rows_, 2, begin - begin_, end - begin);
}

void KeptRows::drop_above(std::int64_t row) {
  if (row <= begin_) return;
  const std::int64_t end = begin_ + (rows_.defined() ? rows_.size(2) : 0);
  rows_ = row < end ? ops::clone(view(row, end)) : Tensor();
  begin_ = row;
}

WindowRows::WindowRows(const Shape& input, DType dtype, const Shape& output, RowFunction function)
    : RowLayer(output, dtype), input_(input), function_(std::move(function)) {
  // What the function is given begins at a multiple of the grid.
  const std::int64_t grid = function_.grid;
  function_.halo = (function_.halo + grid - 1) / grid * grid;
}

std::size_t WindowRows::bytes(std::int64_t rows) const { return bytes_of(input_, rows, dtype()); }

std::size_t WindowRows::result_bytes(std::int64_t rows) const {
  return bytes_of(output(), rows * function_.enlarge / function_.shrink, dtype());
}

WindowRows::Step WindowRows::advance(std::int64_t rows) {
  const std::int64_t height = input_[2], halo = function_.halo, grid = function_.grid;
  const auto first_needed = [&] { return std::max<std::int64_t>(0, done_ - halo); };
  Step step{.begin = done_, .end = 0, .from = first_needed(), .to = 0, .held = 0, .keep = 0};
  step.held = seen_ - first_needed();
  seen_ += rows;
  check(seen_ <= height, "rows: ", seen_, " rows were pushed into an image of ", height);
  const std::int64_t ready = seen_ == height ? height : (seen_ - halo) / grid * grid;
  step.end = done_ = std::max(done_, ready);
  step.to = std::min(height, step.end + halo);
  step.keep = done_ == height ? 0 : seen_ - first_needed();
  return step;
}

Tensor WindowRows::push(Tensor rows) {
  if (!rows.defined()) return {};
  const Step step = advance(rows.size(2));
  kept_.append(std::move(rows));
  rows = {};
  Tensor result;
  if (step.begin < step.end) {
    const std::int64_t up = function_.enlarge, down = function_.shrink;
    result = ops::narrow(function_.function(kept_.view(step.from, step.to)), 2,
                         (step.begin - step.from) * up / down, (step.end - step.begin) * up / down);
  }
  kept_.drop_above(step.end == input_[2] ? step.end : step.end - function_.halo);
  return result;
}

RowCount WindowRows::rehearse(const RowCount& in, RowMemory& memory) {
  if (in.rows == 0) return {};
  const Step step = advance(in.rows);
  memory.kept -= bytes(step.held);
  // What was kept and what came in are joined into a new piece of memory.
  const std::size_t window = step.held == 0 ? in.bytes : bytes(step.held + in.rows);
  memory.use(bytes(step.held) + in.bytes + (step.held == 0 ? 0 : window));
  RowCount out;
  if (step.begin < step.end) {
    const std::int64_t given = step.to - step.from;
    out = {(step.end - step.begin) * function_.enlarge / function_.shrink, result_bytes(given)};
    const std::size_t inside =
        function_.workspace ? function_.workspace(with_rows(input_, given)) : bytes(given);
    memory.use(window + out.bytes + inside);
  }
  memory.use(window + out.bytes + bytes(step.keep));
  memory.kept += bytes(step.keep);
  return out;
}

ChainRows::ChainRows(const Shape& input, DType dtype, std::vector<RowLayers> layers)
    : RowLayer(layers.empty() ? input : layers.back()->output(), dtype),
      layers_(std::move(layers)) {}

Tensor ChainRows::push(Tensor rows) {
  for (const RowLayers& layer : layers_) rows = layer->push(std::move(rows));
  return rows;
}

RowCount ChainRows::rehearse(const RowCount& in, RowMemory& memory) {
  RowCount rows = in;
  for (const RowLayers& layer : layers_) rows = layer->rehearse(rows, memory);
  return rows;
}

SkipRows::SkipRows(const Shape& input, RowLayers inner, std::int64_t channels, Join join)
    : RowLayer({input[0], channels, input[2], input[3]}, inner->dtype()),
      input_(input),
      inner_(std::move(inner)),
      join_(std::move(join)) {
  check(inner_->output()[2] == input[2] && inner_->output()[3] == input[3],
        "rows: what is joined must have one size, got ", input, " and ", inner_->output());
}

std::size_t SkipRows::bytes(std::int64_t channels, std::int64_t rows) const {
  return bytes_of({input_[0], channels, input_[2], input_[3]}, rows, dtype());
}

Tensor SkipRows::push(Tensor rows) {
  if (!rows.defined()) return {};
  seen_ += rows.size(2);
  kept_.append(rows);
  const Tensor made = inner_->push(std::move(rows));
  if (!made.defined()) return {};
  const std::int64_t end = done_ + made.size(2);
  Tensor result = join_(kept_.view(done_, end), made);
  kept_.drop_above(end);
  done_ = end;
  return result;
}

RowCount SkipRows::rehearse(const RowCount& in, RowMemory& memory) {
  if (in.rows == 0) return {};
  const std::int64_t channels = input_[1];
  const std::size_t held = bytes(channels, seen_ - done_);
  seen_ += in.rows;
  const std::size_t all = std::max(bytes(channels, seen_ - done_), in.bytes);
  memory.use(in.bytes + all);
  memory.kept += all - held;
  const RowCount made = inner_->rehearse(in, memory);
  done_ += made.rows;
  const std::size_t left = bytes(channels, seen_ - done_);
  const RowCount out{made.rows, bytes(output()[1], made.rows)};
  // The join may take one more piece of its result's size.
  memory.use(made.bytes + 2 * out.bytes);
  memory.use(made.bytes + out.bytes + left);
  memory.kept -= all - left;
  return out;
}

RowChain& RowChain::add(RowLayers layer) {
  possible_ = possible_ && layer != nullptr;
  if (!possible_) return *this;
  shape_ = layer->output();
  layers_.push_back(std::move(layer));
  return *this;
}

RowChain& RowChain::add_pixelwise(std::int64_t channels,
                                  std::function<Tensor(const Tensor&)> function) {
  Shape output = shape_;
  output[1] = channels;
  return add(std::make_unique<WindowRows>(shape_, dtype_, output,
                                          RowFunction{.function = std::move(function)}));
}

RowLayers RowChain::take() {
  if (!possible_) return nullptr;
  return std::make_unique<ChainRows>(input_, dtype_, std::move(layers_));
}

}  // namespace mini::nn
