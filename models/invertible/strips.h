// Inference on an image of any height: rows go in at one end of the network, and out at the other
// come those that are complete. The result has the bits of the whole image's.
//
// A row of the result depends on many rows of the image: on 5 above and below for each dense block
// on the way, some 80 in SAIN x2. Strips that overlap by that much would be computed nearly twice.
// So the rows stream from layer to layer, each layer keeps the few that it still needs, and only
// what happens inside one subnet is done again, its halo:
//
//          half that is read        half that changes
//    ┌─────────────────────────┐ ┌─────────────────────┐
//    │ dropped                 │ │ handed on           │
//    ├──────── halo ───────────┤ ├─────────────────────┤ begin ┐
//    │ kept from the last push │ │ waiting             │       │ complete now: the subnets run
//    │                         │ ├─────────────────────┤       │ on these rows and the halo
//    │ ─ ─ ─ ─ ─ ─ ─ ─ ─ ─ ─ ─ │ │ just arrived        │ end   ┘ around them
//    │ just arrived   } halo   │ │ waits               │
//    └─────────────────────────┘ └─────────────────────┘
//
// With seen_r and seen_c rows of the halves arrived so far, end = min(seen_c, seen_r - halo), and
// seen_r in place of seen_r - halo when that is the whole height: a convolution pads the image's
// real border with zeros, just as it does in the whole image; of the result at the other two edges
// the halo is cut off. The half that is read is handed on at once, so the halves travel at
// different speeds, and layers that follow each other on one half do not add up their delays. A
// Haar level waits until it has both halves and an even number of rows.
//
// Memory, in floats per column of the LR image with strips of R rows: a layer that changes C
// channels by n subnets after reading D holds at most
//   R·(2D + C) + n·C·(R + 2·halo) + max(C·R, workspace of a subnet)
// (SAIN x2: 42 R), and between two pushes each layer keeps C·(delay behind - delay in front) +
// D·(halo + what it is ahead by), some 10 rows. strip_memory adds it up, push by push.
// Arithmetic done twice: 2·halo / R of all.
//
// Read next: infer/scaler.cpp, which feeds photographs through it.
#pragma once

#include <array>
#include <memory>
#include <vector>

#include "models/invertible/flow.h"
#include "models/rescaler.h"

namespace mini::models {

// A flow in use, from the first row of an image to the last. Records nothing.
//   downscale: image [N,3,H,W], H and W multiples of the scale -> LR [N,3,H/s,W/s], not quantised
//   upscale:   LR [N,3,h,w] and latent [N,3(s²-1),h,w] -> image [N,3,s·h,s·w]
class FlowStream {
 public:
  // `input`: the shape of the whole image or LR. What the flow refers to must outlive the stream.
  FlowStream(const Flow& flow, Rescaling way, const Shape& input, DType dtype);
  ~FlowStream();
  FlowStream(FlowStream&&) noexcept;

  // As in RowStream; `latent`: its rows when upscaling.
  Tensor push(Tensor image, Tensor latent = {});
  std::size_t rehearse(std::int64_t rows);
  std::int64_t row_grid() const { return row_grid_; }

  class Stage;

 private:
  std::vector<std::unique_ptr<Stage>> stages_;
  Rescaling way_;
  std::size_t result_half_;
  std::int64_t row_grid_ = 1;
  std::size_t kept_ = 0;  // bytes, of a rehearsal
};

}  // namespace mini::models
