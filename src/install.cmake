# What `cmake --install` puts where, and the Debian package CPack makes of it.
include(GNUInstallDirs)
install(TARGETS tws RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR})
