#include "tools/mini_gradcheck/row.h"

namespace mini::suite {

const std::vector<Row>& registry() {
  static const std::vector<Row> rows = [] {
    std::vector<Row> all;
    for (const auto& family : {elementwise_rows, shape_rows, reduction_rows, convolution_rows,
                               image_rows, resample_rows, style_rows, model_rows, loss_rows}) {
      std::vector<Row> part = family();
      all.insert(all.end(), std::make_move_iterator(part.begin()),
                 std::make_move_iterator(part.end()));
    }
    return all;
  }();
  return rows;
}

}  // namespace mini::suite
