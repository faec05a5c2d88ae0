// Makes photographs small and large again, in 8 bits. A network and bicubic interpolation have one
// interface, so every comparison treats them alike.
// Read next: infer/evaluate.h.
#pragma once

#include <cstddef>
#include <cstdint>
#include <limits>
#include <memory>
#include <optional>
#include <string>

#include "io/image.h"
#include "models/rescaler.h"

namespace mini::infer {

// Images are uint8 [H,W,3], or float32 [H,W,3] in [0,1] where they have more than 8 bits; a result is as
// its image.
class Scaler {
 public:
  virtual ~Scaler() = default;
  virtual std::string name() const = 0;
  virtual std::int64_t scale() const = 0;

  // [H,W,3] of any size -> [ceil(H/s),ceil(W/s),3]. A side that is no multiple of s is continued by its
  // mirror image.
  Tensor downscale(const Tensor& image) const;
  // [h,w,3] -> [s·h,s·w,3]. `quality`: of the codec that the image went through, for a network that is
  // told of it.
  Tensor upscale(const Tensor& image, int quality = models::lossless) const;

 protected:
  virtual Tensor down(const Tensor& image) const = 0;
  virtual Tensor up(const Tensor& image, int quality) const = 0;
};

// The memory that a process may use. To stay below it, a network runs in strips (RowStream in
// models/rescaler.h). The pixels do not depend on it.
struct MemoryLimit {
  std::size_t bytes = std::numeric_limits<std::size_t>::max();
  std::size_t outside = 0;  // the part of these bytes outside of tensors: the program, its stacks
};
// Throws, naming the least that will do.
[[noreturn]] void fail_memory(const char* op, const Tensor& image, const MemoryLimit& limit,
                              std::size_t least);
// Besides the image itself, reading or writing a file takes up to this many times its bytes: PNG needs
// the lines before compression and the file, WebP its plans for the blocks.
inline constexpr std::size_t codec_images = 3;

// MATLAB's imresize both ways.
std::unique_ptr<Scaler> bicubic_scaler(std::int64_t scale, const MemoryLimit& limit = {});
// The network, which must outlive the scaler. The latent is zero, or drawn from `latent_seed`: the
// same for every image of one size. An image that cannot be scaled within the limit is an Error,
// which names the least that would do.
std::unique_ptr<Scaler> network_scaler(const models::Rescaler& network,
                                       std::optional<std::uint64_t> latent_seed = std::nullopt,
                                       const MemoryLimit& limit = {});

// An image as a file gives it back, and the quality that the file shows (io/metadata.h).
struct Stored {
  Tensor image;
  int quality = models::lossless;
};
Stored decode_stored(std::span<const std::byte> file);

// The stages of an image that is made small, stored, and made large again.
struct RoundTrip {
  Tensor lr;       // as sent to the codec
  io::Bytes file;  // what is stored
  Tensor decoded;  // LR as the codec gives it back
  Tensor hr;       // of the original's size
};
RoundTrip round_trip(const Scaler& scaler, const Tensor& image, io::ImageFormat format,
                     int quality);

}  // namespace mini::infer
