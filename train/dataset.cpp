#include "train/dataset.h"

#include <numeric>
#include <utility>

#include "autograd/functions.h"
#include "autograd/node.h"
#include "tensor/parallel.h"

namespace mini::train {
namespace {

DataOptions checked(const DataOptions& options, Share share) {
  check(options.scale >= 1, "data: scale must be at least 1, got ", options.scale);
  check(options.patch > 0 && options.patch % options.scale == 0, "data: patch ", options.patch,
        " must be a positive multiple of the scale ", options.scale);
  check(options.batch > 0, "data: batch must be positive, got ", options.batch);
  check(options.batch % share.count == 0, "data: batch ", options.batch,
        " cannot be divided evenly among ", share.count, " processes; make it a multiple of ",
        share.count, ", or start another number of processes");
  check(options.workers >= 0, "data: workers must not be negative, got ", options.workers);
  check(options.cache_mb >= 0, "data: cache_mb must not be negative, got ", options.cache_mb);
  return options;
}

// The order in which an epoch visits the images (Fisher and Yates).
std::vector<std::int64_t> shuffled(std::int64_t count, Generator generator) {
  std::vector<std::int64_t> order(static_cast<std::size_t>(count));
  std::iota(order.begin(), order.end(), 0);
  for (std::size_t i = order.size(); i > 1; --i)
    std::swap(order[i - 1],
              order[static_cast<std::size_t>(generator.next_below(static_cast<std::int64_t>(i)))]);
  return order;
}

}  // namespace

struct BatchMaker::Sample {
  Tensor image;
  std::int64_t top, left;
  bool mirror_x, mirror_y, transpose;
};

BatchMaker::BatchMaker(const DataOptions& options, std::uint64_t seed, Share share)
    : options_(checked(options, share)),
      first_(share.index * (options_.batch / share.count)),
      count_(options_.batch / share.count),
      orders_(Generator{seed, 0}.fork(2)),  // 0 and 1 are the trainer's
      crops_(Generator{seed, 0}.fork(3)),
      images_(options.folders, options.patch, static_cast<std::size_t>(options.cache_mb) << 20,
              options.except) {}

std::vector<BatchMaker::Sample> BatchMaker::choose(std::int64_t step) const {
  std::vector<Sample> samples;
  std::vector<std::int64_t> order;
  std::int64_t order_of = -1;
  for (std::int64_t i = first_; i < first_ + count_; ++i) {
    const std::int64_t g = step * options_.batch + i;
    const std::int64_t epoch = g / images_.size();
    if (epoch != order_of) {
      order = shuffled(images_.size(), orders_.fork(static_cast<std::uint64_t>(epoch)));
      order_of = epoch;
    }
    const Tensor image = images_.load(order[static_cast<std::size_t>(g % images_.size())]);
    Generator random = crops_.fork(static_cast<std::uint64_t>(g));
    Sample sample{};
    sample.image = image;
    sample.top = random.next_below(image.size(0) - options_.patch + 1);
    sample.left = random.next_below(image.size(1) - options_.patch + 1);
    const std::uint32_t coins = random.next()[0];
    sample.mirror_x = options_.flip && (coins & 1) != 0;
    sample.mirror_y = options_.flip && (coins & 2) != 0;
    sample.transpose = options_.transpose && (coins & 4) != 0;
    samples.push_back(sample);
  }
  return samples;
}

// uint8 HWC to float CHW. Mirroring and turning are steps through the source.
void BatchMaker::copy_patch(const Sample& sample, float* to) const {
  const std::int64_t side = options_.patch;
  std::int64_t step_y = sample.image.strides()[0], step_x = sample.image.strides()[1];
  const std::uint8_t* from =
      sample.image.data<std::uint8_t>() + sample.top * step_y + sample.left * step_x;
  if (sample.mirror_y) from += (side - 1) * step_y, step_y = -step_y;
  if (sample.mirror_x) from += (side - 1) * step_x, step_x = -step_x;
  if (sample.transpose) std::swap(step_x, step_y);
  for (std::int64_t c = 0; c < 3; ++c)
    for (std::int64_t y = 0; y < side; ++y)
      for (std::int64_t x = 0; x < side; ++x)
        to[(c * side + y) * side + x] =
            static_cast<float>(from[y * step_y + x * step_x + c]) / 255.0f;
}

Batch BatchMaker::make(std::int64_t step) const {
  check(step >= 0 && step < INT64_MAX / options_.batch, "data: there is no batch ", step);
  const NoGrad no_grad;
  const std::vector<Sample> samples = choose(step);
  Batch batch;
  batch.hr = Tensor::empty({count_, 3, options_.patch, options_.patch});
  const std::int64_t elements = 3 * options_.patch * options_.patch;
  parallel_tasks(count_, [&](std::int64_t i) {
    copy_patch(samples[static_cast<std::size_t>(i)], batch.hr.data<float>() + i * elements);
  });
  batch.lr_reference = resize_bicubic(batch.hr, 1.0 / static_cast<double>(options_.scale));
  return batch;
}

BatchLoader::BatchLoader(const DataOptions& options, std::uint64_t seed, std::int64_t first_step,
                         Share share)
    : maker_(options, seed, share),
      ahead_(std::int64_t{2} * options.workers),
      next_to_make_(first_step),
      next_to_give_(first_step) {
  for (int i = 0; i < options.workers; ++i) threads_.emplace_back([this] { work(); });
}

BatchLoader::~BatchLoader() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  changed_.notify_all();
}

void BatchLoader::work() {
  set_threads(1);  // of this thread: the others have work of their own
  std::unique_lock lock(mutex_);
  while (true) {
    changed_.wait(lock, [this] { return stopping_ || next_to_make_ < next_to_give_ + ahead_; });
    if (stopping_) return;
    const std::int64_t step = next_to_make_++;
    lock.unlock();
    Made made;
    try {
      made.batch = maker_.make(step);
    } catch (...) {
      made.error = std::current_exception();
    }
    lock.lock();
    made_.emplace(step, std::move(made));
    changed_.notify_all();
  }
}

Batch BatchLoader::next() {
  if (threads_.empty()) return maker_.make(next_to_give_++);
  std::unique_lock lock(mutex_);
  changed_.wait(lock, [this] { return made_.contains(next_to_give_); });
  Made made = std::move(made_.extract(next_to_give_++).mapped());
  lock.unlock();
  changed_.notify_all();
  if (made.error) std::rethrow_exception(made.error);
  return std::move(made.batch);
}

}  // namespace mini::train
