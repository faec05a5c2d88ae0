// Finding images in folders.
#pragma once

#include <filesystem>
#include <vector>

namespace mini::infer {

// The image files at `places`: each a file, or a folder searched with its subfolders for the names of
// images that mini reads. Hidden files and folders, whose names begin with a dot, are ignored, links to
// folders followed; the folder `except`, where results go, is passed over. Sorted within each place. An
// Error names a place that does not exist or holds no image.
std::vector<std::filesystem::path> find_images(const std::vector<std::filesystem::path>& places,
                                               const std::filesystem::path& except = {});

}  // namespace mini::infer
