#include "train/image_set.h"

#include <algorithm>
#include <atomic>
#include <utility>

#include "io/image.h"
#include "tensor/parallel.h"

namespace mini::train {
namespace fs = std::filesystem;
namespace {

std::vector<fs::path> images_in(const fs::path& folder) {
  std::vector<fs::path> found;
  for (fs::recursive_directory_iterator item(folder), end; item != end; ++item) {
    if (item->is_directory() && item->path().filename().string().starts_with('.'))
      item.disable_recursion_pending();
    else if (item->is_regular_file() && io::has_image_name(item->path()))
      found.push_back(item->path());
  }
  std::sort(found.begin(), found.end());
  return found;
}

}  // namespace

std::vector<fs::path> find_images(const std::vector<fs::path>& places) {
  check(!places.empty(), "data: no folder of images was given");
  std::vector<fs::path> paths;
  for (const fs::path& place : places) {
    std::error_code error;
    const auto status = fs::status(place, error);
    check(fs::exists(status), "data: ", place.string(), " does not exist");
    if (!fs::is_directory(status)) {
      paths.push_back(place);
      continue;
    }
    std::vector<fs::path> found;
    try {
      found = images_in(place);
    } catch (const fs::filesystem_error& failure) {
      fail("data: cannot read the folder ", place.string(), ": ", failure.code().message());
    }
    check(!found.empty(), "data: ", place.string(),
          " holds no images (looked for .jpg, .png, .webp and others, in subfolders too)");
    paths.insert(paths.end(), found.begin(), found.end());
  }
  return paths;
}

ImageSet::ImageSet(const std::vector<fs::path>& places, std::int64_t least_side,
                   std::size_t cache_bytes) {
  const std::vector<fs::path> paths = find_images(places);
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
      entries[i] = {paths[i], image.shape(), {}};
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
  check(!entries_.empty(), "data: none of ", paths.size(), " images can be used; ",
        skipped_.empty() ? "" : skipped_.front());
}

Tensor ImageSet::load(std::int64_t index) const {
  const Entry& wanted = entry(index);
  if (wanted.image.defined()) return wanted.image;
  Tensor image = io::read_image(wanted.path);
  check(image.shape() == wanted.shape, "data: ", wanted.path.string(),
        " was replaced during the run: it had shape ", wanted.shape, " and has ", image.shape());
  return image;
}

}  // namespace mini::train
