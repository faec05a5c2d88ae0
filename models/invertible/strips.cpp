#include "models/invertible/strips.h"

#include <algorithm>
#include <numeric>
#include <utility>

#include "autograd/functions.h"
#include "autograd/node.h"
#include "tensor/view.h"

namespace mini::models {
namespace {

using Halves = std::array<Tensor, 2>;  // rows on their way; undefined: none
using Counts = std::array<std::int64_t, 2>;

std::int64_t rows_of(const Tensor& x) { return x.defined() ? x.size(2) : 0; }

// Rows [begin, end) of one half: they are added below and dropped above.
class Window {
 public:
  void append(Tensor rows) {
    if (!rows.defined()) return;
    rows_ = rows_.defined() ? concat({rows_, std::move(rows)}, 2) : std::move(rows);
  }
  Tensor view(std::int64_t begin, std::int64_t end) const {
    return ops::narrow(rows_, 2, begin - begin_, end - begin);
  }
  // A copy of what stays, so that the rest is given back.
  void drop_above(std::int64_t row) {
    if (row <= begin_) return;
    const std::int64_t end = begin_ + rows_of(rows_);
    rows_ = row < end ? ops::clone(view(row, end)) : Tensor();
    begin_ = row;
  }

 private:
  std::int64_t begin_ = 0;
  Tensor rows_;
};

// What a stage is about to do, found from counts of rows alone.
struct Step {
  std::int64_t begin, end;  // rows that become complete
  Counts kept;              // rows of each half held from before
  Counts keeps;             // and held afterwards
};

// The size of a level of the network.
struct Level {
  std::int64_t batch;
  Counts channels;
  std::int64_t height, width;
  DType dtype;

  std::int64_t all_channels() const { return channels[0] + channels[1]; }
  std::size_t bytes(std::int64_t channel_rows) const {
    return static_cast<std::size_t>(batch * width * channel_rows) * element_size(dtype);
  }
};

}  // namespace

// A layer or a Haar level with the rows that it keeps.
class FlowStream::Stage {
 public:
  explicit Stage(const Level& level) : level_(level) {}
  virtual ~Stage() = default;

  Halves push(Halves in) {
    const Step step = advance({rows_of(in[0]), rows_of(in[1])});
    return work(step, std::move(in));
  }
  // The same for counts of rows. `kept` is what all stages keep; it is brought up to date, and
  // `peak` raised to the most there is meanwhile.
  Counts rehearse(const Counts& in, std::size_t& kept, std::size_t& peak) {
    const Step step = advance(in);
    kept -= level_.bytes(rows(step.kept));
    peak = std::max(peak, kept + workspace(step, in));
    kept += level_.bytes(rows(step.keeps));
    return result_rows(step, in);
  }

 protected:
  virtual Halves work(const Step& step, Halves in) = 0;
  // Bytes during work(), with all that comes in, is held, and goes out.
  virtual std::size_t workspace(const Step& step, const Counts& in) const = 0;
  virtual Counts result_rows(const Step& step, const Counts& in) const = 0;
  // Up to which row the result is complete, given how many of each half were seen; and the first
  // row of each half that is still needed when the result has been made up to `done`.
  virtual std::int64_t complete(const Counts& seen) const = 0;
  virtual Counts needed(std::int64_t done) const = 0;

  std::int64_t rows(const Counts& counts) const {
    return level_.channels[0] * counts[0] + level_.channels[1] * counts[1];
  }

  const Level level_;
  std::array<Window, 2> windows_;

 private:
  Step advance(const Counts& in) {
    Step step{done_, 0, held(), {}};
    for (std::size_t half = 0; half < 2; ++half) seen_[half] += in[half];
    check(std::max(seen_[0], seen_[1]) <= level_.height, "strips: ", std::max(seen_[0], seen_[1]),
          " rows were pushed into an image of ", level_.height);
    done_ = step.end = std::max(done_, complete(seen_));
    step.keeps = held();
    return step;
  }
  Counts held() const {
    const Counts first = needed(done_);
    return {std::max<std::int64_t>(0, seen_[0] - first[0]),
            std::max<std::int64_t>(0, seen_[1] - first[1])};
  }

  Counts seen_{};
  std::int64_t done_ = 0;
};

namespace {

class CouplingStage : public FlowStream::Stage {
 public:
  CouplingStage(const Level& level, Coupling layer) : Stage(level), layer_(std::move(layer)) {
    for (const Subnet& subnet : layer_.subnets) {
      halo_ = std::max(halo_, subnet.halo);
      row_grid_ = std::lcm(row_grid_, subnet.row_grid);
    }
    halo_ = (halo_ + row_grid_ - 1) / row_grid_ * row_grid_;
  }

 private:
  Halves work(const Step& step, Halves in) override {
    windows_[read_].append(in[read_]);
    windows_[changed_].append(std::move(in[changed_]));
    in[changed_] = step.begin < step.end ? change(step) : Tensor();
    const Counts first = needed(step.end);
    for (const std::size_t half : {0, 1}) windows_[half].drop_above(first[half]);
    return in;
  }

  Tensor change(const Step& step) const {
    const auto [from, to] = around(step);
    const Tensor other = windows_[read_].view(from, to);
    Tensors values;
    for (const Subnet& subnet : layer_.subnets)
      values.push_back(
          ops::narrow(subnet.function(other), 2, step.begin - from, step.end - step.begin));
    return layer_.apply(windows_[changed_].view(step.begin, step.end), values);
  }

  std::size_t workspace(const Step& step, const Counts& in) const override {
    // What is read goes on as well: the same rows twice, unless nothing was held in front of them.
    const std::int64_t passing = step.kept[read_] > 0 ? in[read_] : 0;
    std::int64_t rows_now = level_.channels[read_] * (step.kept[read_] + in[read_] + passing) +
                            level_.channels[changed_] * (step.kept[changed_] + in[changed_]);
    if (step.begin == step.end) return level_.bytes(rows_now);
    const auto [from, to] = around(step);
    const auto subnets = static_cast<std::int64_t>(layer_.subnets.size());
    rows_now += subnets * level_.channels[changed_] * (to - from);
    std::size_t inside = level_.bytes(level_.channels[changed_] * (step.end - step.begin));
    for (const Subnet& subnet : layer_.subnets)
      if (subnet.workspace)
        inside = std::max(inside, subnet.workspace({level_.batch, level_.channels[read_], to - from,
                                                    level_.width},
                                                   level_.dtype));
    return level_.bytes(rows_now) + inside;
  }

  Counts result_rows(const Step& step, const Counts& in) const override {
    Counts out = in;
    out[changed_] = step.end - step.begin;
    return out;
  }

  std::int64_t complete(const Counts& seen) const override {
    if (seen[read_] == level_.height && seen[changed_] == level_.height) return level_.height;
    const bool all = seen[read_] == level_.height;
    const std::int64_t ready = std::min(seen[changed_], all ? level_.height : seen[read_] - halo_);
    return ready / row_grid_ * row_grid_;
  }

  Counts needed(std::int64_t done) const override {
    Counts first{};
    first[changed_] = done;
    first[read_] = done == level_.height ? done : std::max<std::int64_t>(0, done - halo_);
    return first;
  }

  // The rows that the subnets are run on.
  Counts around(const Step& step) const {
    return {std::max<std::int64_t>(0, step.begin - halo_),
            std::min(level_.height, step.end + halo_)};
  }

  Coupling layer_;
  std::size_t changed_ = static_cast<std::size_t>(layer_.changed), read_ = 1 - changed_;
  // Rows become complete up to multiples of row_grid_, and so does halo_, so that the subnets' rows
  // begin at such a multiple.
  std::int64_t halo_ = 0, row_grid_ = 1;
};

// Some Haar transforms, or inverse ones, after which the channels are halved again: into the
// image's and the rest, if there is one.
class HaarStage : public FlowStream::Stage {
 public:
  HaarStage(const Level& level, int transforms, bool inverse)
      : Stage(level), transforms_(transforms), inverse_(inverse) {}

 private:
  Halves work(const Step& step, Halves in) override {
    for (const std::size_t half : {0, 1}) windows_[half].append(std::move(in[half]));
    if (step.begin == step.end) return {};
    Tensor x = windows_[0].view(step.begin, step.end);
    x = level_.channels[1] == 0 ? ops::contiguous(x)
                                : concat({x, windows_[1].view(step.begin, step.end)}, 1);
    for (Window& window : windows_) window.drop_above(step.end);
    for (int i = 0; i < transforms_; ++i) x = inverse_ ? haar_inverse(x) : haar(x);
    const std::int64_t rest = x.size(1) - image_channels;
    if (rest == 0) return {x, {}};
    // Copies: a view of one half would keep the memory of the other.
    return {ops::clone(ops::narrow(x, 1, 0, image_channels)),
            ops::clone(ops::narrow(x, 1, image_channels, rest))};
  }

  // Joining, transforming and halving all have what they read and what they write.
  std::size_t workspace(const Step& step, const Counts& in) const override {
    const std::int64_t channels = level_.all_channels();
    return level_.bytes(std::max(rows(step.kept) + rows(in) + channels * (step.end - step.begin),
                                 rows(step.keeps) + 2 * channels * (step.end - step.begin)));
  }

  Counts result_rows(const Step& step, const Counts& in) const override {
    (void)in;
    const std::int64_t large = step.end - step.begin, factor = std::int64_t{1} << transforms_;
    const std::int64_t count = inverse_ ? large * factor : large / factor;
    const bool whole = inverse_ && level_.all_channels() == image_channels * factor * factor;
    return {count, whole ? 0 : count};
  }

  std::int64_t complete(const Counts& seen) const override {
    const std::int64_t both = level_.channels[1] == 0 ? seen[0] : std::min(seen[0], seen[1]);
    return inverse_ ? both : both >> transforms_ << transforms_;
  }

  Counts needed(std::int64_t done) const override { return {done, done}; }

  int transforms_;
  bool inverse_;
};

}  // namespace

FlowStream::FlowStream(const Flow& flow, Rescaling way, const Shape& input, DType dtype)
    : way_(way) {
  check(input.rank() == 4 && input[1] == image_channels, "strips: needs an image [N,3,H,W], got ",
        input);
  int haar_levels = 0;
  for (const Flow::Level& level : flow.levels) haar_levels += level.haar;
  const std::int64_t scale = std::int64_t{1} << haar_levels;
  Level level{input[0], {image_channels, 0}, input[2], input[3], dtype};
  const auto enter = [&](std::int64_t channels, std::int64_t height, std::int64_t width) {
    level.channels[1] = channels - image_channels;
    level.height = height;
    level.width = width;
  };
  for (const Flow::Level& part : flow.levels)
    for (const Coupling& layer : part.chain)
      for (const Subnet& subnet : layer.subnets) row_grid_ = std::lcm(row_grid_, subnet.row_grid);
  const auto add_layers = [&](const std::vector<Coupling>& chain) {
    for (const Coupling& layer : chain)
      stages_.push_back(std::make_unique<CouplingStage>(level, layer));
  };
  if (way == Rescaling::downscale) {
    check(input[2] % scale == 0 && input[3] % scale == 0, "strips: the sides of ", input,
          " must be multiples of ", scale);
    const Flow part = flow.to_lr();
    for (const Flow::Level& part_level : part.levels) {
      const std::int64_t factor = std::int64_t{1} << part_level.haar;
      stages_.push_back(std::make_unique<HaarStage>(level, part_level.haar, false));
      enter(level.all_channels() * factor * factor, level.height / factor, level.width / factor);
      add_layers(part_level.chain);
    }
    result_half_ = static_cast<std::size_t>(part.lr.half);
  } else {
    level.channels[1] = image_channels * (scale * scale - 1);
    for (auto part_level = flow.levels.rbegin(); part_level != flow.levels.rend(); ++part_level) {
      const std::int64_t factor = std::int64_t{1} << part_level->haar;
      add_layers(models::inverse(part_level->chain));
      stages_.push_back(std::make_unique<HaarStage>(level, part_level->haar, true));
      enter(level.all_channels() / (factor * factor), level.height * factor, level.width * factor);
    }
    result_half_ = 0;
  }
}

FlowStream::~FlowStream() = default;
FlowStream::FlowStream(FlowStream&&) noexcept = default;

Tensor FlowStream::push(Tensor image, Tensor latent) {
  check(image.defined() && latent.defined() == (way_ == Rescaling::upscale) &&
            (!latent.defined() || latent.size(2) == image.size(2)),
        "strips: needs rows of the image and, when upscaling alone, as many of the latent");
  const NoGrad no_grad;
  Halves rows{std::move(image), std::move(latent)};
  for (const auto& stage : stages_) rows = stage->push(std::move(rows));
  return std::move(rows[result_half_]);
}

std::size_t FlowStream::rehearse(std::int64_t rows) {
  std::size_t peak = 0;
  Counts counts{rows, way_ == Rescaling::upscale ? rows : 0};
  for (const auto& stage : stages_) counts = stage->rehearse(counts, kept_, peak);
  return peak;
}

}  // namespace mini::models
