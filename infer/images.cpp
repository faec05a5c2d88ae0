#include "infer/images.h"

#include <algorithm>

#include "io/image.h"
#include "tensor/error.h"

namespace mini::infer {
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

}  // namespace mini::infer
