"""Delivery of events to webhooks and MQTT: in order, at least once, resumed where it stopped."""
