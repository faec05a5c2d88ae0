#include "infer/images.h"

#include <algorithm>

#include "io/image.h"
#include "tensor/error.h"

namespace mini::infer {
namespace fs = std::filesystem;
namespace {

// Follows links to folders. `above`: the folders that this one lies in, to notice a link to one of them.
void add_images_in(const fs::path& folder, const fs::path& except, std::vector<fs::path> above,
                   std::vector<fs::path>& found) {
  above.push_back(fs::canonical(folder));
  for (const fs::directory_entry& item : fs::directory_iterator(folder)) {
    const fs::path& path = item.path();
    if (path.filename().string().starts_with('.')) continue;
    if (!item.is_directory()) {
      if (item.is_regular_file() && io::has_image_name(path)) found.push_back(path);
      continue;
    }
    const fs::path real = fs::canonical(path);
    if (real != except && std::find(above.begin(), above.end(), real) == above.end())
      add_images_in(path, except, above, found);
  }
}

std::vector<fs::path> images_in(const fs::path& folder, const fs::path& except) {
  std::vector<fs::path> found;
  add_images_in(folder, except.empty() ? except : fs::weakly_canonical(fs::absolute(except)), {},
                found);
  std::sort(found.begin(), found.end());
  return found;
}

}  // namespace

std::vector<fs::path> find_images(const std::vector<fs::path>& places, const fs::path& except) {
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
      found = images_in(place, except);
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
