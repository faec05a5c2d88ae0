#include "infer/images.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <string_view>

#include "tensor/error.h"

namespace mini::infer {
namespace fs = std::filesystem;
namespace {

constexpr std::array<std::string_view, 11> extensions = {
    ".jpg", ".jpeg", ".png", ".webp", ".bmp", ".gif", ".tga", ".ppm", ".pgm", ".pnm", ".psd"};

bool is_image_name(const fs::path& path) {
  std::string extension = path.extension().string();
  std::transform(extension.begin(), extension.end(), extension.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return std::find(extensions.begin(), extensions.end(), extension) != extensions.end();
}

std::vector<fs::path> images_in(const fs::path& folder) {
  std::vector<fs::path> found;
  for (const auto& item : fs::recursive_directory_iterator(folder))
    if (item.is_regular_file() && is_image_name(item.path())) found.push_back(item.path());
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
