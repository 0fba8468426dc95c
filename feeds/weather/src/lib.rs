//! Weather observations from Open-Meteo, METAR, NWS or OpenWeatherMap.
