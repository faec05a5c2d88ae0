# What mini builds on, all from Debian's packages; tools/lib/setup.sh installs them.
set(mini_suffixes ${CMAKE_FIND_LIBRARY_SUFFIXES})
if(MINI_PORTABLE)
  set(CMAKE_FIND_LIBRARY_SUFFIXES .a)
endif()
find_package(OpenMP REQUIRED)
find_package(JPEG REQUIRED)
find_package(ZLIB REQUIRED)
find_package(nlohmann_json 3.11 REQUIRED)
find_package(PkgConfig REQUIRED)
pkg_check_modules(WEBP REQUIRED IMPORTED_TARGET libwebp)
set(CMAKE_FIND_LIBRARY_SUFFIXES ${mini_suffixes})
find_path(STB_INCLUDE_DIR stb/stb_image.h REQUIRED)

# Of MPI only mini_train knows, and without it nothing but training by several processes is missing.
if(MINI_MPI STREQUAL AUTO)
  find_package(MPI QUIET COMPONENTS CXX)
elseif(MINI_MPI)
  find_package(MPI REQUIRED COMPONENTS CXX)
endif()
if(TARGET MPI::MPI_CXX)
  message(STATUS "MPI: ${MPI_CXX_VERSION}, ${MPIEXEC_EXECUTABLE}")
else()
  message(STATUS "MPI: none (MINI_MPI=${MINI_MPI}; Debian's package is libopenmpi-dev)")
endif()

set(MINI_LIBRARIES JPEG::JPEG ZLIB::ZLIB PkgConfig::WEBP
    $<BUILD_INTERFACE:nlohmann_json::nlohmann_json>)
include_directories(SYSTEM ${STB_INCLUDE_DIR})
