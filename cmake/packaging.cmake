# What `cmake --install` puts where, so that `find_package(batchmate)` works.
include(CMakePackageConfigHelpers)
include(GNUInstallDirs)

set(batchmate_config_dir ${CMAKE_INSTALL_DATADIR}/cmake/batchmate)
install(TARGETS batchmate EXPORT batchmate-targets FILE_SET HEADERS)
install(EXPORT batchmate-targets NAMESPACE batchmate:: DESTINATION ${batchmate_config_dir})

configure_package_config_file(cmake/batchmate-config.cmake.in batchmate-config.cmake
                              INSTALL_DESTINATION ${batchmate_config_dir})
write_basic_package_version_file(batchmate-config-version.cmake COMPATIBILITY SameMinorVersion ARCH_INDEPENDENT)
install(FILES ${CMAKE_CURRENT_BINARY_DIR}/batchmate-config.cmake
              ${CMAKE_CURRENT_BINARY_DIR}/batchmate-config-version.cmake cmake/batchmate-onednn.cmake
              cmake/batchmate-cuda.cmake
        DESTINATION ${batchmate_config_dir})
install(FILES LICENSE README.md DESTINATION ${CMAKE_INSTALL_DOCDIR})
