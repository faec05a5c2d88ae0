// The photographs of some folders, decoded and kept in memory as far as a budget allows.
//
// Opening a set decodes every image once, in parallel: files that cannot be read or are too small are
// left out before the first training step, so the run does not fail later, and the images' numbers never
// change. Read next: train/dataset.h.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "tensor/tensor.h"

namespace mini::train {

class ImageSet {
 public:
  // `places` as in infer/images.h. Images that cannot be decoded or are below `least_side` pixels on a
  // side are left out. When nothing is left an Error says what was wrong with the first.
  ImageSet(const std::vector<std::filesystem::path>& places, std::int64_t least_side,
           std::size_t cache_bytes, const std::filesystem::path& except = {});

  std::int64_t size() const { return static_cast<std::int64_t>(entries_.size()); }
  const std::filesystem::path& path(std::int64_t index) const { return entry(index).path; }
  // uint8 [H,W,3]. From memory, or decoded again. Safe to call from several threads.
  Tensor load(std::int64_t index) const;
  // Of the pixels of all images in their order: other images have another one.
  const std::string& fingerprint() const { return fingerprint_; }
  // One line for each file left out, "PATH: reason".
  const std::vector<std::string>& skipped() const { return skipped_; }
  // One line for each oddity of a file that is used, "PATH: oddity".
  const std::vector<std::string>& notices() const { return notices_; }

 private:
  struct Entry {
    std::filesystem::path path;
    Shape shape;
    std::uint32_t sum = 0;  // CRC-32 of the pixels
    Tensor image;           // undefined when the budget was used up
  };
  const Entry& entry(std::int64_t index) const { return entries_[static_cast<std::size_t>(index)]; }

  std::vector<Entry> entries_;
  std::vector<std::string> skipped_, notices_;
  std::string fingerprint_;
};

}  // namespace mini::train
