# `cmake --install` and find_package(mini): headers under include/mini, the library, the tools.
include(GNUInstallDirs)
include(CMakePackageConfigHelpers)

foreach(layer IN ITEMS tensor io ops autograd nn models infer train)
  if(IS_DIRECTORY ${CMAKE_CURRENT_SOURCE_DIR}/${layer})
    install(DIRECTORY ${layer} DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}/mini FILES_MATCHING PATTERN "*.h")
  endif()
endforeach()
# Weights lie in share/mini/weights beside the programs' folder, installed or not
# (tools/mini_infer/shipped.h).
install(DIRECTORY models/weights DESTINATION ${CMAKE_INSTALL_DATADIR}/mini)
file(MAKE_DIRECTORY ${CMAKE_CURRENT_BINARY_DIR}/share/mini)
file(CREATE_LINK ${CMAKE_CURRENT_SOURCE_DIR}/models/weights
     ${CMAKE_CURRENT_BINARY_DIR}/share/mini/weights SYMBOLIC)
install(TARGETS mini EXPORT miniTargets)
install(EXPORT miniTargets NAMESPACE mini:: DESTINATION ${CMAKE_INSTALL_LIBDIR}/cmake/mini)
configure_package_config_file(cmake/miniConfig.cmake.in miniConfig.cmake
  INSTALL_DESTINATION ${CMAKE_INSTALL_LIBDIR}/cmake/mini)
write_basic_package_version_file(miniConfigVersion.cmake COMPATIBILITY SameMinorVersion)
install(FILES ${CMAKE_CURRENT_BINARY_DIR}/miniConfig.cmake
              ${CMAKE_CURRENT_BINARY_DIR}/miniConfigVersion.cmake
        DESTINATION ${CMAKE_INSTALL_LIBDIR}/cmake/mini)
