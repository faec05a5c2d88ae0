#include "train/image_set.h"

#include <algorithm>
#include <atomic>
#include <utility>

#include "infer/images.h"
#include "io/checksum.h"
#include "io/image.h"
#include "tensor/parallel.h"

namespace mini::train {
namespace fs = std::filesystem;
namespace {

std::uint32_t sum_of(const Tensor& image) { return io::crc32({image.raw_data(), image.bytes()}); }

}  // namespace

ImageSet::ImageSet(const std::vector<fs::path>& places, std::int64_t least_side,
                   std::size_t cache_bytes, const fs::path& except) {
  const std::vector<fs::path> paths = infer::find_images(places, except);
  const auto count = static_cast<std::int64_t>(paths.size());
  std::vector<Entry> entries(paths.size());
  std::vector<std::string> reasons(paths.size());  // empty: fine
  std::vector<std::vector<std::string>> notices(paths.size());
  std::atomic<std::size_t> used = 0;
  parallel_tasks(count, [&](std::int64_t index) {
    const auto i = static_cast<std::size_t>(index);
    try {
      Tensor image = io::read_image(paths[i], {.notices = &notices[i]});
      if (std::min(image.size(0), image.size(1)) < least_side)
        reasons[i] = concat_text(paths[i].string(), ": ", image.size(1), "x", image.size(0),
                                 " pixels, at least ", least_side, " a side are needed");
      entries[i] = {paths[i], image.shape(), sum_of(image), {}};
      if (reasons[i].empty() && used.fetch_add(image.bytes()) + image.bytes() <= cache_bytes)
        entries[i].image = std::move(image);
    } catch (const Error& error) {  // which names the file
      reasons[i] = error.what();
    }
  });
  for (std::size_t i = 0; i < paths.size(); ++i) {
    if (!reasons[i].empty()) {
      skipped_.push_back(std::move(reasons[i]));
      continue;
    }
    entries_.push_back(std::move(entries[i]));
    for (const std::string& notice : notices[i])
      notices_.push_back(paths[i].string() + ": " + notice);
  }
  std::string all;
  for (const Entry& one : entries_) all += concat_text(one.shape, ' ', one.sum, '\n');
  fingerprint_ = concat_text(entries_.size(), ':', io::crc32(io::as_bytes(all)));
  check(!entries_.empty(), "data: none of ", paths.size(), " images can be used; ",
        skipped_.empty() ? "" : skipped_.front());
}

Tensor ImageSet::load(std::int64_t index) const {
  const Entry& wanted = entry(index);
  if (wanted.image.defined()) return wanted.image;
  Tensor image = io::read_image(wanted.path);
  check(image.shape() == wanted.shape && sum_of(image) == wanted.sum,
        "data: ", wanted.path.string(),
        " was changed during the run, which needs the image that it was");
  return image;
}

}  // namespace mini::train
